/* What the files behind producer.h share: the producer itself, its lock, its I/O. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "drivers/producer/producer.h"
#include "drivers/producer/producer_lane.h"
#include "drivers/producer/producer_socket.h"

struct freshet_producer {
    /* Constant after open. */
    struct freshet_producer_options options; /* server is NULL. */
    struct producer_identity identity;
    struct producer_socket socket;
    void *memory; /* Owned; slots of all lanes. */
    uint32_t lane_count;
    int wake_fd; /* Ends the wait of whoever polls. */
    uint32_t producer_hash;
    /* Owner: whoever holds the lock. Recursive, so that callbacks find the door shut instead of a
     * deadlock. */
    pthread_mutex_t lock;
    pthread_cond_t moved; /* The thread did I/O: room, or everything settled. */
    bool inside;          /* A callback may be running. */
    bool thread_runs;
    bool thread_ends;
    pthread_t thread;
    int64_t asleep_until_us; /* Of whoever waits without the lock; INT64_MIN: nobody. */
    uint32_t shard_count;
    uint64_t unsteered; /* Events without a key so far. */
    uint64_t events_refused;
    uint64_t datagrams_ignored;
    uint64_t send_errors;
    int64_t detour_end_us[FRESHET_PRODUCER_LANES_MAX]; /* Until then by everyone's port. */
    struct producer_lane lane[FRESHET_PRODUCER_LANES_MAX];
};

/* CLOCK_MONOTONIC and CLOCK_REALTIME in microseconds. */
int64_t producer_now_us(void);
int64_t producer_time_us(void);

/* Takes the lock and looks whether a callback is above us: false, and no lock, when it is. */
bool producer_enter(struct freshet_producer *producer);
void producer_leave(struct freshet_producer *producer);

/* Receives all that is there and sends all that is due. Under the lock. */
void producer_turn(struct freshet_producer *producer);
/* When a turn has something to do without anything received; INT64_MAX: never. Under the lock. */
int64_t producer_due_us(const struct freshet_producer *producer);
/* One turn, then waits for the next thing to do, at most until end_us, without the lock. Called
 * under the lock; with a thread running it waits for that thread instead. */
void producer_wait(struct freshet_producer *producer, int64_t end_us);
/* Whoever waits looks again, when this lane has become due earlier. Under the lock. */
void producer_wake(struct freshet_producer *producer, const struct producer_lane *lane);
/* Ends the library's thread, if there is one. */
void producer_thread_stop(struct freshet_producer *producer);
