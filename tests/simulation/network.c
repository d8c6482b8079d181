#include "tests/simulation/network.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/base/assert.h"

static bool chance(struct network *network, uint32_t ppm)
{
    return ppm > 0 && random_below(&network->random, 1000000) < ppm;
}

void network_init(struct network *network, const struct draw *draw)
{
    *network = (struct network){.faults = draw->network};
    random_seed(&network->random, draw->seed ^ 0x6e6574);
    network->flight = calloc(NETWORK_FLIGHTS_MAX, sizeof(struct datagram *));
    ASSERT(network->flight != NULL);
}

void network_deinit(struct network *network)
{
    for (uint32_t i = 0; i < network->flight_count; i++) {
        free(network->flight[i]);
    }
    for (uint32_t i = 0; i < NETWORK_OLD_MAX; i++) {
        free(network->old[i]);
    }
    free(network->flight);
}

void network_free(struct datagram *datagram)
{
    free(datagram);
}

static struct datagram *datagram_copy(const struct datagram *datagram)
{
    struct datagram *copy = malloc(sizeof(*copy));
    ASSERT(copy != NULL);
    memcpy(copy, datagram, offsetof(struct datagram, data));
    memcpy(copy->data, datagram->data, datagram->size);
    return copy;
}

static void datagram_spoil(struct network *network, struct datagram *datagram)
{
    network->counts.corrupt++;
    if (datagram->size > 1 && random_below(&network->random, 4) == 0) {
        datagram->size -= 1 + (uint32_t)random_below(&network->random, datagram->size - 1);
        return;
    }
    uint64_t at = random_below(&network->random, datagram->size);
    datagram->data[at] ^= (uint8_t)(1u << random_below(&network->random, 8));
}

/* One copy on its way. */
static void flight_add(struct network *network, const struct datagram *datagram, int64_t now_us)
{
    if (network->flight_count == NETWORK_FLIGHTS_MAX) {
        network->counts.lost++;
        return;
    }
    struct datagram *copy = datagram_copy(datagram);
    uint64_t span = network->faults.delay_us_max - network->faults.delay_us_min;
    copy->due_us =
        now_us + network->faults.delay_us_min + (int64_t)random_below(&network->random, span + 1);
    copy->number = network->number++;
    if (chance(network, network->faults.corrupt_ppm)) {
        datagram_spoil(network, copy);
    }
    network->flight[network->flight_count++] = copy;
}

/* Remembers it; sometimes one of before comes once more instead. */
static void old_turn(struct network *network, const struct datagram *datagram, int64_t now_us)
{
    uint64_t place = random_below(&network->random, NETWORK_OLD_MAX);
    if (chance(network, network->faults.again_ppm) && network->old[place] != NULL) {
        network->counts.again++;
        flight_add(network, network->old[place], now_us);
    }
    free(network->old[place]);
    network->old[place] = datagram_copy(datagram);
}

void network_send(struct network *network, const struct datagram *datagram, int64_t now_us)
{
    ASSERT(datagram->size <= NETWORK_DATAGRAM_MAX);
    network->counts.sent++;
    if (datagram->to_appliance && network->faults.again_ppm > 0) {
        old_turn(network, datagram, now_us);
    }
    if (chance(network, network->faults.lost_ppm)) {
        network->counts.lost++;
        return;
    }
    flight_add(network, datagram, now_us);
    if (chance(network, network->faults.twice_ppm)) {
        network->counts.twice++;
        flight_add(network, datagram, now_us);
    }
}

/* Place of the one that arrives first. */
static uint32_t flight_first(const struct network *network)
{
    uint32_t first = 0;
    for (uint32_t i = 1; i < network->flight_count; i++) {
        const struct datagram *one = network->flight[i];
        const struct datagram *best = network->flight[first];
        if (one->due_us < best->due_us ||
            (one->due_us == best->due_us && one->number < best->number)) {
            first = i;
        }
    }
    return first;
}

struct datagram *network_take(struct network *network, int64_t now_us)
{
    if (network->flight_count == 0) {
        return NULL;
    }
    uint32_t first = flight_first(network);
    struct datagram *datagram = network->flight[first];
    if (datagram->due_us > now_us) {
        return NULL;
    }
    network->flight[first] = network->flight[--network->flight_count];
    return datagram;
}

int64_t network_due_us(const struct network *network)
{
    return network->flight_count == 0 ? INT64_MAX : network->flight[flight_first(network)]->due_us;
}

void network_calm(struct network *network)
{
    network->faults = (struct draw_network){.delay_us_min = 20, .delay_us_max = 200};
}
