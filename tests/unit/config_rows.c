#include "tests/unit/config_rows.h"

#include <stdio.h>

#include "config/config.h"

#define SAID_SIZE_MAX (256 * KIB)

static void errors_format(const struct config *config, char *out)
{
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < config->error_count && i < CONFIG_ERRORS_MAX; i++) {
        const struct config_error *error = &config->error[i];
        int length = snprintf(out + at, SAID_SIZE_MAX - at, "%s:%u:%u: %s\n", error->file,
                              error->line, error->column, error->text);
        assert_true(length > 0 && (size_t)length < SAID_SIZE_MAX - at);
        at += (size_t)length;
    }
}

static bool row_holds(const struct config_row *row, struct config *config, char *said)
{
    size_t size = strlen(row->text);
    char *exact =
        malloc(size > 0 ? size : 1); /* No NUL behind it, so that ASan sees a read past. */
    assert_non_null(exact);
    memcpy(exact, row->text, size);
    enum result result = config_load_text("f", exact, size, config);
    free(exact);
    errors_format(config, said);
    bool taken = row->errors[0] == '\0';
    if (strcmp(said, row->errors) == 0 && (result == RESULT_OK) == taken) {
        return true;
    }
    print_error("%s: said\n%sexpected\n%s", row->sentence, said, row->errors);
    return false;
}

struct table {
    const struct config_row *rows;
    size_t count;
};

static void rows_hold(void **state)
{
    const struct table *table = *state;
    struct config *config = malloc(sizeof(*config));
    char *said = malloc(SAID_SIZE_MAX);
    assert_non_null(config);
    assert_non_null(said);
    uint32_t wrong = 0;
    for (size_t i = 0; i < table->count; i++) {
        wrong += !row_holds(&table->rows[i], config, said);
    }
    free(said);
    free(config);
    assert_int_equal(wrong, 0);
}

int config_rows_main(const char *sentence, const struct config_row *rows, size_t count)
{
    struct table table = {.rows = rows, .count = count};
    const struct CMUnitTest tests[] = {
        {.name = sentence, .test_func = rows_hold, .initial_state = &table},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
