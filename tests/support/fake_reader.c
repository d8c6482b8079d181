#include "tests/support/fake_reader.h"

#include "dataplane/base/assert.h"

static struct fake_reader *fake_of(struct reader *reader)
{
    return (struct fake_reader *)(void *)reader;
}

struct reader *fake_reader_of(struct fake_reader *fake)
{
    return (struct reader *)(void *)fake;
}

static struct fake_reader opened[16];

enum result reader_open(struct worker *const *workers, uint32_t shard_count, uint32_t thread_index,
                        struct reader **out_reader)
{
    (void)workers;
    (void)shard_count;
    opened[thread_index] = (struct fake_reader){.online = true};
    *out_reader = fake_reader_of(&opened[thread_index]);
    return RESULT_OK;
}

void reader_plan_set(struct reader *reader, const struct plan *plan)
{
    (void)reader;
    (void)plan;
}

void reader_close(struct reader *reader)
{
    ASSERT(!fake_of(reader)->online);
}

void reader_offline(struct reader *reader)
{
    fake_of(reader)->online = false;
}

void reader_online(struct reader *reader)
{
    fake_of(reader)->online = true;
}

static void query_answer(struct reader_query *query)
{
    uint8_t first = query->key_size == 0 ? 0xff : query->key[0];
    query->found = first != 0xff;
    for (uint32_t i = 0; i < query->feature_count; i++) {
        struct answer *answer = &query->answer[i];
        *answer = (struct answer){
            .status = ANSWER_NOT_FOUND,
            .start_us = INT64_MIN,
            .end_us = FAKE_Q_US,
            .newest_us = query->found ? FAKE_NEWEST_US : INT64_MIN,
            .q_us = query->time == READ_AT ? query->at_us : FAKE_Q_US,
            .lsn = query->found ? 7 : 0,
        };
        if (query->found) {
            answer->status = first == 0xfe ? ANSWER_NULL_VALUE : ANSWER_PRESENT;
            answer->kind = first == 0xfe ? VALUE_NULL : VALUE_NUMBER;
            answer->flags = ANSWER_FLAG_PARTIAL;
            answer->scale = 2;
            answer->number.word[0] = query->feature[i] * 100u + first;
        }
    }
}

void reader_read(struct reader *reader, struct reader_query *queries, uint32_t count)
{
    struct fake_reader *fake = fake_of(reader);
    ASSERT(fake->online);
    fake->read_count++;
    fake->query_count += count;
    for (uint32_t i = 0; i < count; i++) {
        query_answer(&queries[i]);
        fake->time = queries[i].time;
        fake->at_us = queries[i].at_us;
    }
}

/* Five keys, 1 to 5, each with a row in views 0 and 1; the cursor is the key that comes next. */
uint64_t reader_scan(struct reader *reader, uint64_t cursor, uint32_t count, reader_visit *visit,
                     void *context)
{
    ASSERT(fake_of(reader)->online);
    for (uint32_t visited = 0; visited < count && cursor < 5; visited += 2) {
        uint8_t key[8] = {(uint8_t)++cursor};
        visit(context, 0, key, sizeof(key));
        visit(context, 1, key, sizeof(key));
    }
    return cursor < 5 ? cursor : 0;
}
