/* Golden messages: files of tests/golden/messages. With UPDATE_GOLDEN set a file becomes what it is
 * compared with. */
#pragma once

#include <stdio.h>

#include "tests/support/unit.h"

#define GOLDEN_SIZE_MAX 4096u

struct golden {
    uint8_t data[GOLDEN_SIZE_MAX];
    uint32_t size;
};

static inline FILE *golden_open(const char *name, const char *mode)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/tests/golden/messages/%s", getenv("FRESHET_SOURCE"),
                   name);
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    return file;
}

static inline void golden_read(const char *name, struct golden *out)
{
    FILE *file = golden_open(name, "rb");
    out->size = (uint32_t)fread(out->data, 1, sizeof(out->data), file);
    (void)fclose(file);
    assert_true(out->size > 0 && out->size < sizeof(out->data));
}

static inline void golden_check(const char *name, const void *data, uint32_t size)
{
    struct golden golden;
    if (getenv("UPDATE_GOLDEN") != NULL) {
        FILE *file = golden_open(name, "wb");
        assert_int_equal(fwrite(data, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
    }
    golden_read(name, &golden);
    assert_int_equal(size, golden.size);
    assert_memory_equal(data, golden.data, golden.size);
}
