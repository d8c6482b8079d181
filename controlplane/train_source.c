#include "controlplane/train_source.h"

void train_source_init(struct train_source *source, struct train *train, uint32_t part_count)
{
    *source = (struct train_source){.train = train, .part_count = part_count};
}

void train_source_deinit(struct train_source *source)
{
    train_spool_close(&source->spool);
}

static enum result part_open(struct train_source *source)
{
    struct train *train = source->train;
    bool last = source->parts_opened + 1 == source->part_count;
    char name[DISK_NAME_SIZE_MAX];
    train_spool_close(&source->spool);
    source->next = 0;
    if (last && train->last.rows > 0) {
        source->part = &train->last;
        source->rows_left = train->last.rows;
        return RESULT_OK;
    }
    if (last && train->last_values.spool.rows > 0) {
        source->spool = train->last_values;
        train->last_values = (struct train_spool_reader){.data = NULL};
    } else {
        train_spool_name(train, source->parts_opened, name);
        enum result result = train_spool_open(train->disk, name, &source->spool);
        if (result != RESULT_OK) {
            return train_fail(train, "%s: cannot be read: %s", name, result_name(result));
        }
    }
    source->rows_left = source->spool.spool.rows;
    return RESULT_OK;
}

enum result train_source_enter(struct train_source *source)
{
    enum result result = RESULT_OK;
    while (result == RESULT_OK && source->rows_left == 0) {
        if (source->parts_opened == source->part_count) {
            return train_fail(source->train, "%s: has more rows than before",
                              source->train->options->labels);
        }
        result = part_open(source);
        source->parts_opened++;
    }
    return result;
}

enum result train_source_fail(const struct train_source *source)
{
    return train_fail(source->train, "part %u is damaged: remove %s.parts and run again",
                      source->parts_opened - 1, source->train->options->out);
}
