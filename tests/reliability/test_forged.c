/* Datagrams that nobody with a key sent, good ones sent again, and good ones cut: by the hundred
 * thousand, with `all` by the million. Each is counted by the one reason that it must have; rows,
 * lanes, logs stay as they are; what is not authenticated gets no answer. SEED=n repeats. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/base/units.h"
#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_tag.h"
#include "tests/reliability/hostile_world.h"
#include "tests/support/unit.h"

#define COUNT_SHORT      100000u
#define COUNT_ALL        1000000u
#define WIRE_LANE_OFFSET 58u
#define BATCH            256u /* Datagrams between two looks at everything. */

static struct hostile_world world;
static uint64_t count_each = COUNT_SHORT;
static FILE *report;

static uint32_t below(uint64_t limit)
{
    return (uint32_t)random_below(&world.random, limit);
}

static const struct hostile_message *good_draw(void)
{
    return &world.good[below(world.good_count)];
}

/* --- forgeries: each makes a message that is refused for its row's reason ------------------- */

struct forgery {
    const char *what;
    void (*make)(struct hostile_message *out);
    enum drop drop;
    uint64_t made;
};

static void tag_at_random(struct hostile_message *out)
{
    hostile_fresh(&world, below(HOSTILE_PRODUCERS), (uint8_t)(1 + below(2)), out);
    uint64_t tag = random_next(&world.random);
    memcpy(out->data + WIRE_TAG_OFFSET, &tag, sizeof(tag));
}

/* Bytes of the tag itself too, not those that say whose key it is, or make it text. */
static void good_bytes_changed(struct hostile_message *out)
{
    *out = *good_draw();
    uint32_t at;
    do {
        at = 2 + below(out->size - 2);
    } while ((at >= WIRE_PRODUCER_OFFSET && at < WIRE_PRODUCER_OFFSET + 8) ||
             at == WIRE_KEY_EPOCH_OFFSET);
    out->data[at] ^= (uint8_t)(1 + below(255));
}

static void key_of_another_producer(struct hostile_message *out)
{
    uint32_t claimed = below(HOSTILE_PRODUCERS);
    uint8_t epoch = (uint8_t)(1 + below(2));
    hostile_fresh(&world, claimed, epoch, out);
    hostile_tag(out, (claimed + 1 + below(HOSTILE_PRODUCERS - 1)) % HOSTILE_PRODUCERS, epoch);
}

static void key_of_the_other_epoch(struct hostile_message *out)
{
    uint32_t producer = below(HOSTILE_PRODUCERS);
    uint8_t epoch = (uint8_t)(1 + below(2));
    hostile_fresh(&world, producer, epoch, out);
    hostile_tag(out, producer, (uint8_t)(3 - epoch));
}

static void epoch_that_has_no_key(struct hostile_message *out)
{
    uint32_t producer = below(HOSTILE_PRODUCERS);
    hostile_fresh(&world, producer, 1, out);
    out->data[WIRE_KEY_EPOCH_OFFSET] = (uint8_t)(3 + below(253));
    hostile_tag(out, producer, 1);
}

static void producer_that_nobody_knows(struct hostile_message *out)
{
    hostile_fresh(&world, 0, 1, out);
    uint64_t producer = UINT64_C(1) << 32 | below(UINT32_MAX);
    memcpy(out->data + WIRE_PRODUCER_OFFSET, &producer, sizeof(producer));
    hostile_tag(out, 0, 1);
}

/* With the right tag: the key was stolen, the place was not. */
static void place_that_is_not_allowed(struct hostile_message *out)
{
    hostile_fresh(&world, 2, 1, out);
    out->from = hostile_address(&world, 0);
    hostile_tag(out, 2, 1);
}

static void good_with_more_behind(struct hostile_message *out)
{
    *out = *good_draw();
    uint32_t more = 1 + below(HOSTILE_BYTES_MAX - out->size);
    for (uint32_t i = 0; i < more; i++) {
        out->data[out->size++] = (uint8_t)random_next(&world.random);
    }
}

static void text_without_a_tag(struct hostile_message *out)
{
    *out = (struct hostile_message){.from = hostile_address(&world, 0)};
    out->size = (uint32_t)snprintf((char *)out->data, sizeof(out->data), "e k=%ui,x=%ui", below(50),
                                   below(50));
}

/* Our own answers sent back, as an echo does: where messages have the key epoch, answers have other
 * bits, and they are too short besides. */
static void answers_sent_back(struct hostile_message *out)
{
    *out = world.ack[below(world.ack_count)];
}

static struct forgery forgeries[] = {
    {"a tag at random", tag_at_random, DROP_message_bad_tag, 0},
    {"a byte of a good message changed", good_bytes_changed, DROP_message_bad_tag, 0},
    {"another producer's key", key_of_another_producer, DROP_message_bad_tag, 0},
    {"the key of the other epoch", key_of_the_other_epoch, DROP_message_bad_tag, 0},
    {"a good message with more behind", good_with_more_behind, DROP_message_bad_tag, 0},
    {"a key epoch without a key", epoch_that_has_no_key, DROP_message_unknown_key, 0},
    {"an unknown producer", producer_that_nobody_knows, DROP_message_unknown_key, 0},
    {"a place that is not allowed", place_that_is_not_allowed, DROP_message_not_allowed, 0},
    {"text", text_without_a_tag, DROP_text_refused, 0},
    {"an answer sent back", answers_sent_back, DROP_message_unknown_key, 0},
};

/* --- what is looked at ---------------------------------------------------------------------- */

struct outcome {
    uint64_t sent;
    uint64_t bytes;
    uint64_t changed; /* Looks that saw a change. */
    uint64_t answers;
    uint64_t answer_bytes;
};

static struct hostile_eye before;
static uint64_t begun_pushed, begun_bytes, begun_answers, begun_answer_bytes;

static void outcome_begin(void)
{
    hostile_look(&world, &before);
    begun_pushed = world.pushed;
    begun_bytes = world.pushed_bytes;
    begun_answers = world.answers;
    begun_answer_bytes = world.answers_bytes;
}

/* A change is told when it is seen, within the batch that made it. */
static void batch_end(struct outcome *outcome)
{
    struct hostile_eye now;
    hostile_turns(&world);
    hostile_check_counts(&world);
    hostile_look(&world, &now);
    now.duplicates = before.duplicates;
    now.refused = before.refused;
    if (memcmp(&now, &before, sizeof(now)) != 0) {
        outcome->changed++;
        (void)fprintf(stderr, "changed after %lu datagrams: state %d, lanes %d, lsn %d\n",
                      world.pushed - begun_pushed, now.state != before.state,
                      now.lanes != before.lanes, now.lsn[0] != before.lsn[0]);
    }
}

/* is_good: each of them was a message of a producer once, which hears again what it knows. */
static void outcome_end(struct outcome *outcome, const char *what, bool is_good, bool last)
{
    outcome->sent = world.pushed - begun_pushed;
    outcome->bytes = world.pushed_bytes - begun_bytes;
    outcome->answers = world.answers - begun_answers;
    outcome->answer_bytes = world.answers_bytes - begun_answer_bytes;
    uint64_t forbidden = is_good ? 0 : outcome->answers;
    printf("%s: %lu sent, %lu changed anything, %lu answers (%lu bytes for %lu)\n", what,
           outcome->sent, outcome->changed, outcome->answers, outcome->answer_bytes,
           outcome->bytes);
    if (report != NULL) {
        (void)fprintf(report,
                      " {\"what\": \"%s\", \"trials\": %lu, \"unit\": \"datagrams\", \"zeros\": "
                      "{\"batches that changed rows, lanes or logs\": %lu, "
                      "\"answers to who has no key\": %lu}, \"figures\": "
                      "{\"answers\": %lu, \"answer_bytes\": %lu, \"bytes\": %lu}}%s\n",
                      what, outcome->sent, outcome->changed, forbidden, outcome->answers,
                      outcome->answer_bytes, outcome->bytes, last ? "" : ",");
    }
    assert_int_equal(outcome->changed, 0);
    assert_int_equal(forbidden, 0);
    assert_true(outcome->answer_bytes <= outcome->bytes);
}

/* --- the tests ------------------------------------------------------------------------------ */

static void what_is_forged_changes_nothing_and_hears_nothing(void **state)
{
    (void)state;
    struct outcome outcome = {0};
    outcome_begin();
    for (uint64_t i = 1; i <= count_each; i++) {
        struct forgery *forgery = &forgeries[below(ARRAY_COUNT(forgeries))];
        struct hostile_message message;
        forgery->make(&message);
        hostile_push(&world, &message, forgery->drop, 1);
        forgery->made++;
        if (i % BATCH == 0 || i == count_each) {
            batch_end(&outcome);
        }
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(forgeries); i++) {
        printf("  %-36s %8lu %s\n", forgeries[i].what, forgeries[i].made,
               drop_name(forgeries[i].drop));
        assert_true(forgeries[i].made > 0);
    }
    outcome_end(&outcome, "forged datagrams", false, false);
}

/* Now and then from elsewhere: whoever listened on the way has them too. Its answer, if any, goes
 * to the producer, never to who sent it. */
static void what_is_sent_again_counts_once(void **state)
{
    (void)state;
    struct outcome outcome = {0};
    uint64_t known = 0;
    outcome_begin();
    for (uint64_t i = 1; i <= count_each; i++) {
        struct hostile_message message = *good_draw();
        if (below(4) == 0) {
            message.from.ip[15] ^= 1;
            message.from.port = (uint16_t)(20000 + below(20000));
        }
        known += message.of_old_incarnation || message.events == 0 ? 0 : 1;
        hostile_push(&world, &message,
                     message.of_old_incarnation ? DROP_message_old_incarnation
                                                : DROP_message_duplicate,
                     message.events);
        if (i % BATCH == 0 || i == count_each) {
            batch_end(&outcome);
        }
    }
    struct hostile_eye after;
    hostile_look(&world, &after);
    assert_int_equal(after.duplicates - before.duplicates, known);
    outcome_end(&outcome, "good messages sent again", true, false);
}

static void cut_push(const struct hostile_message *good, uint32_t size)
{
    struct hostile_message message = *good;
    message.size = size;
    enum drop drop = size == 0                   ? DROP_message_empty
                     : size < WIRE_EVENTS_OFFSET ? DROP_message_short
                                                 : DROP_message_bad_tag;
    hostile_push(&world, &message, drop, 1);
}

/* Every length of every good message, then lengths at random. */
static void what_is_cut_changes_nothing_and_hears_nothing(void **state)
{
    (void)state;
    struct outcome outcome = {0};
    uint64_t sent = 0;
    outcome_begin();
    for (uint32_t g = 0; g < world.good_count; g++) {
        for (uint32_t size = 0; size < world.good[g].size; size++, sent++) {
            cut_push(&world.good[g], size);
            if (sent % BATCH == 0) {
                batch_end(&outcome);
            }
        }
    }
    for (; sent < count_each; sent++) {
        const struct hostile_message *good = good_draw();
        cut_push(good, below(good->size));
        if (sent % BATCH == 0) {
            batch_end(&outcome);
        }
    }
    batch_end(&outcome);
    outcome_end(&outcome, "good messages cut", false, false);
}

/* A producer that miscounts: its tag is good, its message is not. */
static void what_a_producer_cuts_itself_is_refused_whole(void **state)
{
    (void)state;
    struct outcome outcome = {0};
    outcome_begin();
    for (uint64_t i = 1; i <= count_each; i++) {
        uint32_t producer = below(HOSTILE_PRODUCERS);
        struct hostile_message message;
        hostile_fresh(&world, producer, 1, &message);
        message.size -= 1 + below(message.size - WIRE_EVENTS_OFFSET);
        hostile_tag(&message, producer, 1);
        hostile_push(&world, &message, DROP_message_size, 1);
        if (i % BATCH == 0 || i == count_each) {
            batch_end(&outcome);
        }
    }
    outcome_end(&outcome, "messages cut before their tag was made", false, true);
}

/* The eye sees what it is there for: one good message more. Last, because it changes the world. */
static void one_good_message_changes_all_that_is_looked_at(void **state)
{
    (void)state;
    struct hostile_message message;
    struct hostile_eye now;
    outcome_begin();
    do {
        hostile_fresh(&world, 0, 1, &message);
    } while (message.data[WIRE_LANE_OFFSET] != 0);
    message.from = world.good[0].from; /* Of the same lane. */
    hostile_tag(&message, 0, 1);
    hostile_push(&world, &message, DROP_NONE, 0);
    hostile_turns(&world);
    hostile_look(&world, &now);
    assert_true(now.state != before.state);
    assert_true(now.lanes != before.lanes);
    assert_int_equal(now.applied, before.applied + message.events);
    assert_true(now.lsn[0] + now.lsn[1] >= before.lsn[0] + before.lsn[1] + message.events);
    assert_true(now.durable_lsn[0] + now.durable_lsn[1] >
                before.durable_lsn[0] + before.durable_lsn[1]);
}

static FILE *report_open(void)
{
    const char *build = getenv("FRESHET_BUILD");
    if (build == NULL) {
        return NULL;
    }
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/reliability", build);
    (void)mkdir(path, 0755);
    (void)snprintf(path, sizeof(path), "%s/reliability/forged.json", build);
    return fopen(path, "w");
}

int main(int count, char **argument)
{
    const char *seed_text = getenv("SEED");
    uint64_t seed =
        seed_text != NULL ? (uint64_t)strtoull(seed_text, NULL, 10) : (uint64_t)getpid();
    if (count > 1 && strcmp(argument[1], "all") == 0) {
        count_each = COUNT_ALL;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    printf("SEED=%lu\n", seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_forged_changes_nothing_and_hears_nothing),
        cmocka_unit_test(what_is_sent_again_counts_once),
        cmocka_unit_test(what_is_cut_changes_nothing_and_hears_nothing),
        cmocka_unit_test(what_a_producer_cuts_itself_is_refused_whole),
        cmocka_unit_test(one_good_message_changes_all_that_is_looked_at),
    };
    report = report_open();
    if (report != NULL) {
        (void)fprintf(report, "{\"test\": \"forged\", \"rows\": [\n");
    }
    hostile_open(&world, seed);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    hostile_close(&world);
    if (report != NULL) {
        (void)fprintf(report, "]}\n");
        (void)fclose(report);
    }
    return failed;
}
