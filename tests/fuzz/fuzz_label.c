/* A table of labels as CSV: any bytes. Two readings, in batches of different sizes, give the same
 * cells. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controlplane/label_table.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/checksum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct reading {
    uint64_t rows;
    uint32_t crc; /* Of all cells and lines. */
    enum result result;
};

static uint32_t cell_crc(uint32_t crc, const struct label_cell *cell)
{
    ASSERT(cell->is_null == (cell->size == 0));
    crc = checksum_crc32c(crc, &cell->size, sizeof(cell->size));
    return checksum_crc32c(crc, cell->text, cell->size);
}

static struct reading table_read(struct label_table *table, uint32_t rows_max)
{
    char error[LABEL_ERROR_SIZE_MAX];
    struct reading reading = {.rows = 0};
    struct label_batch batch;
    uint32_t columns;
    (void)label_table_columns(table, &columns);
    for (;;) {
        error[0] = '\0';
        reading.result = label_table_next(table, rows_max, &batch, error);
        ASSERT((reading.result == RESULT_OK) == (error[0] == '\0'));
        if (reading.result != RESULT_OK || batch.rows == 0) {
            return reading;
        }
        for (uint32_t r = 0; r < batch.rows; r++) {
            for (uint32_t c = 0; c < columns; c++) {
                reading.crc = cell_crc(reading.crc, &batch.cell[r * columns + c]);
            }
            reading.crc = checksum_crc32c(reading.crc, &batch.line[r], sizeof(batch.line[r]));
        }
        reading.rows += batch.rows;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    char error[LABEL_ERROR_SIZE_MAX];
    struct label_table *table;
    int file = memfd_create("labels", MFD_CLOEXEC);
    if (file < 0 || (size >= 4 && memcmp(data, "PAR1", 4) == 0) ||
        write(file, data, size) != (ssize_t)size) {
        (void)close(file);
        return 0;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    if (label_table_open(path, &table, error) == RESULT_OK) {
        struct reading one = table_read(table, 1);
        ASSERT(label_table_rewind(table, error) == RESULT_OK);
        struct reading many = table_read(table, 1000);
        ASSERT(one.result == many.result);
        /* A wrong record takes its batch with it. */
        ASSERT(one.result != RESULT_OK || (one.rows == many.rows && one.crc == many.crc));
        label_table_close(table);
    }
    (void)close(file);
    return 0;
}
