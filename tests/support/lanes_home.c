/* The functions of fake_home.h over the product's own lanes: tests of the producer library that are
 * linked with it hold both ends against each other. A crash forgets nothing here: recovery has its
 * own tests. */
#include "tests/support/fake_home.h"

#include "tests/support/unit.h"

#include "dataplane/feature/wire.h"
#include "dataplane/feature/wire_tag.h"
#include "dataplane/lanes.h"

#define LANES_MAX 4u

/* One home at a time. */
static struct lanes lanes;
static struct lane *lane; /* NULL before its first message. */
static void *memory;
static struct lane_message accepted[FAKE_HOME_SEQUENCES_MAX];

void fake_home_init(struct fake_home *home, uint16_t credit)
{
    uint64_t bytes = align_up(lanes_footprint(LANES_MAX) + CACHE_LINE_BYTES, CACHE_LINE_BYTES);
    struct arena arena;
    memset(home, 0, sizeof(*home));
    home->credit = credit;
    home->shard_count = 1;
    free(memory);
    memory = aligned_alloc(CACHE_LINE_BYTES, bytes);
    assert_non_null(memory);
    memset(memory, 0, bytes);
    arena_init(&arena, memory, bytes);
    lanes_init(&lanes, LANES_MAX, &arena);
    lane = NULL;
}

static void message_take(struct fake_home *home, const struct wire_message *message,
                         const struct lane_message *said, enum drop drop)
{
    uint64_t id;
    memcpy(&id, message->events, sizeof(id));
    if (drop == DROP_message_duplicate) {
        home->duplicates++;
    } else if (drop != DROP_NONE) {
        home->refused++;
    } else {
        accepted[message->sequence] = *said;
        home->state[message->sequence] = FAKE_HOME_ACCEPTED;
        home->first_event[message->sequence] = (uint16_t)id;
        home->event_count[message->sequence] = message->event_count;
        home->greatest = message->sequence > home->greatest ? message->sequence : home->greatest;
    }
}

bool fake_home_receive(struct fake_home *home, const uint8_t *data, uint32_t size)
{
    struct wire_message message;
    assert_int_equal(wire_decode(data, size, &message), DROP_NONE);
    assert_true(message.sequence < FAKE_HOME_SEQUENCES_MAX);
    if (home->has_key && message.tag != wire_tag(&home->key, data, size)) {
        home->bad_tags++;
        return false;
    }
    const struct lane_message said = {.producer = message.producer,
                                      .sequence = message.sequence,
                                      .oldest = message.oldest,
                                      .incarnation = message.incarnation,
                                      .lane = message.lane};
    bool heartbeat = message.event_count == 0;
    home->producer = message.producer;
    home->incarnation = message.incarnation;
    home->lane = message.lane;
    enum drop drop = lanes_accept_acked(&lanes, &said, heartbeat, 1, &lane);
    home->messages += heartbeat ? 0 : 1;
    home->heartbeats += heartbeat ? 1 : 0;
    if (!heartbeat) {
        message_take(home, &message, &said, drop);
    }
    return true;
}

void fake_home_commit(struct fake_home *home)
{
    for (uint64_t sequence = 1; sequence <= home->greatest; sequence++) {
        if (home->state[sequence] != FAKE_HOME_ACCEPTED) {
            continue;
        }
        home->state[sequence] = FAKE_HOME_DURABLE;
        assert_true(lane_durable(lane, &accepted[sequence]));
        for (uint32_t i = 0; i < home->event_count[sequence]; i++) {
            home->times[home->first_event[sequence] + i]++;
        }
    }
}

void fake_home_crash(struct fake_home *home)
{
    (void)home;
}

void fake_home_ack(const struct fake_home *home, uint8_t data[WIRE_ACK_BYTES])
{
    struct wire_ack ack = {.producer = home->producer,
                           .incarnation = home->incarnation,
                           .lane = home->lane,
                           .shard_count = home->shard_count,
                           .credit = home->credit,
                           .key_epoch = home->key_epoch,
                           .epoch = 1};
    if (lane != NULL) {
        lane_durable_map(lane, &ack.durable, ack.map);
    }
    wire_ack_encode(&ack, data);
    if (home->has_key) {
        wire_tag_write(&home->key, data, WIRE_ACK_BYTES);
    }
}
