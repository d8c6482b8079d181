/* Sends the messages of one lane over UDP at a steady rate of events. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/encoder.h"
#include "dataplane/base/result.h"

#define SEND_BATCH_MAX      16
#define SEND_ERROR_SIZE_MAX 256

struct send_lane {
    int socket;
    uint64_t rate;    /* Events per second, above 0. */
    int64_t start_ns; /* CLOCK_MONOTONIC, of the first message. */
    uint64_t events_sent;
    uint64_t messages_sent;
    uint32_t batch_max; /* Messages per system call. */
    uint32_t batch_count;
    uint32_t batch_events;
    struct encoder encoder;
    uint32_t size[SEND_BATCH_MAX];
    uint8_t data[SEND_BATCH_MAX][MESSAGE_SIZE_MAX];
};

/* Whether it is HOST:PORT or [ADDRESS]:PORT; the host may be any name. */
bool send_address_is_good(const char *to);

/* to: HOST:PORT, [ADDRESS]:PORT; names are resolved. Initialises the encoder too; at low rates
 * messages hold fewer events, so that events leave evenly. error says what is wrong. */
MUST_USE enum result send_lane_open(struct send_lane *lane, const char *to,
                                    const struct schema *schema, uint64_t producer,
                                    uint32_t incarnation, uint64_t rate,
                                    char error[SEND_ERROR_SIZE_MAX]);
void send_lane_close(struct send_lane *lane);

/* Sends the encoder's message when it is full; with all, whatever is waiting. Sleeps to keep the
 * rate. On failure error says why. */
MUST_USE enum result send_lane_step(struct send_lane *lane, bool all,
                                    char error[SEND_ERROR_SIZE_MAX]);

/* CLOCK_REALTIME. */
int64_t send_time_us(void);
