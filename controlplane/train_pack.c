#include "controlplane/train_pack.h"

#include <string.h>

#include "controlplane/answer_pack.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

/* Rows are taken in their order, and each read's answers lie anywhere: heads come near, then, as
 * they say, what is behind them. */
#define HEADS_AHEAD 16u
#define READS_AHEAD 8u

/* Before a read's answers. */
struct head {
    int64_t newest_us;
    int64_t q_us;
    uint64_t size; /* Of what follows. */
};

enum result train_pack_init(struct train_pack *pack, uint32_t thread_count, uint64_t read_count)
{
    *pack = (struct train_pack){.thread_count = thread_count, .read_count = read_count};
    pack->thread = heap_alloc_lines(thread_count * sizeof(*pack->thread));
    if (pack->thread == NULL || memory_map(read_count * sizeof(*pack->at) + 1, /* touch= */ 0,
                                           &pack->region) != RESULT_OK) {
        train_pack_deinit(pack);
        return RESULT_NO_MEMORY;
    }
    pack->at = pack->region.base;
    for (uint32_t t = 0; t < thread_count; t++) {
        pack->thread[t].packed.is_large = true;
    }
    return RESULT_OK;
}

static void answers_free(struct train_pack *pack)
{
    for (uint32_t t = 0; t < pack->thread_count; t++) {
        chunks_free(&pack->thread[t].packed);
    }
}

void train_pack_begin(struct train_pack *pack, uint64_t first, uint64_t count)
{
    ASSERT(first + count <= pack->read_count);
    answers_free(pack);
    memset(pack->at + pack->first, 0, (pack->end - pack->first) * sizeof(*pack->at));
    pack->first = first;
    pack->end = first + count;
}

void train_pack_deinit(struct train_pack *pack)
{
    if (pack->thread != NULL) {
        answers_free(pack);
    }
    heap_free(pack->thread);
    memory_unmap(&pack->region);
    *pack = (struct train_pack){.thread_count = 0};
}

enum result train_pack_take(void *context, uint32_t thread, const struct history_read *read,
                            const struct answer *answer)
{
    struct train_pack *pack = context;
    ASSERT(thread < pack->thread_count);
    ASSERT(read->number >= pack->first && read->number < pack->end);
    struct chunks *packed = &pack->thread[thread].packed;
    uint64_t most = sizeof(struct head);
    for (uint32_t i = 0; i < read->feature_count; i++) {
        /* What is the row's, each answer of it says. */
        ASSERT(answer[i].newest_us == answer[0].newest_us && answer[i].q_us == answer[0].q_us);
        most += answer_pack_room(&answer[i]);
    }
    uint8_t *room = chunks_room(packed, most);
    if (room == NULL) {
        return RESULT_NO_MEMORY;
    }
    uint8_t *at = room + sizeof(struct head);
    for (uint32_t i = 0; i < read->feature_count; i++) {
        at = answer_pack_at(&answer[i], /* flags= */ 0, at);
    }
    const struct head head = {.newest_us = answer[0].newest_us,
                              .q_us = answer[0].q_us,
                              .size = (uint64_t)(at - room) - sizeof(head)};
    memcpy(room, &head, sizeof(head));
    chunks_took(packed, (uint64_t)(at - room));
    pack->at[read->number] = room;
    return RESULT_OK;
}

/* The head of a read that was answered; what follows it stands behind. */
static struct head head_read(const struct train_pack *pack, uint64_t number)
{
    struct head head;
    ASSERT(number >= pack->first && number < pack->end && pack->at[number] != NULL);
    memcpy(&head, pack->at[number], sizeof(head));
    return head;
}

/* To be asked for. A function that asks for no more than this would be left out as one that does
 * nothing (GCC 12). */
static const uint8_t *head_at(const struct train_pack *pack, uint64_t number)
{
    return number < pack->end ? pack->at[number] : NULL;
}

/* What is behind a head that came near. */
static void answers_ask(const struct train_pack *pack, uint64_t number)
{
    if (number >= pack->end) {
        return;
    }
    const uint8_t *end = pack->at[number] + sizeof(struct head) + head_read(pack, number).size;
    for (const uint8_t *at = pack->at[number] + CACHE_LINE_BYTES; at < end;
         at += CACHE_LINE_BYTES) {
        __builtin_prefetch(at, 0, 2);
    }
}

void train_pack_enter(const struct train_pack *pack, uint64_t number)
{
    for (uint64_t i = 0; i < HEADS_AHEAD; i++) {
        __builtin_prefetch(head_at(pack, number + i), 0, 2);
    }
    for (uint64_t i = 0; i < READS_AHEAD; i++) {
        answers_ask(pack, number + i);
    }
}

const uint8_t *train_pack_at(const struct train_pack *pack, uint64_t number,
                             const uint8_t **out_end)
{
    const uint8_t *at = pack->at[number] + sizeof(struct head);
    *out_end = at + head_read(pack, number).size;
    __builtin_prefetch(head_at(pack, number + HEADS_AHEAD), 0, 2);
    answers_ask(pack, number + READS_AHEAD);
    return at;
}

void train_pack_read(const struct train_pack *pack, uint64_t number, uint32_t count,
                     struct answer *out_answer)
{
    const struct head head = head_read(pack, number);
    const uint8_t *end;
    const uint8_t *at = train_pack_at(pack, number, &end);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t flags;
        at = answer_unpack(at, end, &out_answer[i], &flags);
        ASSERT(at != NULL);
        out_answer[i].newest_us = head.newest_us;
        out_answer[i].q_us = head.q_us;
    }
    ASSERT(at == end);
}

int64_t train_pack_newest_us(const struct train_pack *pack, uint64_t number)
{
    return head_read(pack, number).newest_us;
}
