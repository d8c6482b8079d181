/* A producer's I/O: turns, waits, and the thread that does nothing else. */
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/base/units.h"
#include "drivers/producer/producer_inside.h"

#define RECEIVE_BYTES 2048u
/* Datagrams sent between two looks at what came in. */
#define BURST_MAX 32u
/* So long everyone's port is used after a home's own was silent. */
#define DETOUR_US (10 * US_PER_SECOND)

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / NS_PER_US;
}

int64_t producer_now_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t producer_time_us(void)
{
    return clock_us(CLOCK_REALTIME);
}

bool producer_enter(struct freshet_producer *producer)
{
    (void)pthread_mutex_lock(&producer->lock);
    if (producer->inside) {
        (void)pthread_mutex_unlock(&producer->lock);
        return false;
    }
    return true;
}

void producer_leave(struct freshet_producer *producer)
{
    (void)pthread_mutex_unlock(&producer->lock);
}

static void acks_receive(struct freshet_producer *producer, int64_t now_us)
{
    uint8_t data[RECEIVE_BYTES];
    struct wire_ack ack;
    uint32_t size;
    while ((size = producer_socket_receive(&producer->socket, data, sizeof(data),
                                           &producer->datagrams_ignored)) != 0) {
        if (!producer_ack_read(&producer->identity, data, size, &ack) ||
            ack.lane >= producer->lane_count) {
            producer->datagrams_ignored++;
            continue;
        }
        producer->shard_count = ack.shard_count;
        producer_lane_receive(&producer->lane[ack.lane], now_us, &ack);
    }
}

/* Where the lane's home listens, beyond everyone's port; 0 as long as that is not known, and for a
 * while when nothing came back from there: the home may have moved, or its port may be closed to
 * us. */
static uint32_t port_offset_of(struct freshet_producer *producer, uint32_t lane, int64_t now_us)
{
    uint32_t shards = producer->shard_count;
    if (producer_lane_is_silent(&producer->lane[lane])) {
        producer->detour_end_us[lane] = now_us + DETOUR_US;
    }
    if (shards == 0 || now_us < producer->detour_end_us[lane]) {
        return 0;
    }
    return 1 + (uint32_t)(((uint64_t)producer->producer_hash + lane) % shards);
}

/* Sends at most a burst of what is due on a lane; true when there may be more. */
static bool lane_send(struct freshet_producer *producer, uint32_t number, int64_t now_us,
                      int64_t time_us)
{
    struct producer_lane *lane = &producer->lane[number];
    for (uint32_t i = 0; i < BURST_MAX; i++) {
        uint32_t size;
        const uint8_t *data = producer_lane_take(lane, now_us, time_us, &size);
        if (data == NULL) {
            return false;
        }
        if (!producer_socket_send(&producer->socket, port_offset_of(producer, number, now_us), data,
                                  size)) {
            producer->send_errors++;
        }
    }
    return true;
}

void producer_turn(struct freshet_producer *producer)
{
    bool more = true;
    producer->inside = true;
    while (more) {
        int64_t now_us = producer_now_us();
        int64_t time_us = producer_time_us();
        acks_receive(producer, now_us);
        more = false;
        for (uint32_t i = 0; i < producer->lane_count; i++) {
            more |= lane_send(producer, i, now_us, time_us);
        }
    }
    producer->inside = false;
}

int64_t producer_due_us(const struct freshet_producer *producer)
{
    int64_t due_us = INT64_MAX;
    for (uint32_t i = 0; i < producer->lane_count; i++) {
        int64_t lane_us = producer_lane_due_us(&producer->lane[i]);
        due_us = lane_us < due_us ? lane_us : due_us;
    }
    return due_us;
}

/* Without the lock, until something comes, is due, or somebody wakes us. */
static void sleep_until(struct freshet_producer *producer, int64_t end_us)
{
    int64_t due_us = producer_due_us(producer);
    int64_t until_us = due_us < end_us ? due_us : end_us;
    int64_t now_us = producer_now_us();
    if (until_us <= now_us) {
        return;
    }
    int64_t wait_us = until_us - now_us < US_PER_SECOND ? until_us - now_us : US_PER_SECOND;
    producer->asleep_until_us = until_us;
    producer_leave(producer);
    producer_socket_wait(&producer->socket, producer->wake_fd, wait_us);
    (void)pthread_mutex_lock(&producer->lock);
    producer->asleep_until_us = INT64_MIN;
    uint64_t woken;
    (void)!read(producer->wake_fd, &woken, sizeof(woken));
}

void producer_wait(struct freshet_producer *producer, int64_t end_us)
{
    if (!producer->thread_runs) {
        producer_turn(producer);
        sleep_until(producer, end_us);
        producer_turn(producer);
        return;
    }
    int64_t soon_us = producer_now_us() + US_PER_SECOND;
    int64_t until_us = end_us < soon_us ? end_us : soon_us;
    const struct timespec until = {.tv_sec = until_us / US_PER_SECOND,
                                   .tv_nsec = until_us % US_PER_SECOND * NS_PER_US};
    (void)pthread_cond_timedwait(&producer->moved, &producer->lock, &until);
}

void producer_wake(struct freshet_producer *producer, const struct producer_lane *lane)
{
    if (producer_lane_due_us(lane) < producer->asleep_until_us) {
        const uint64_t one = 1;
        producer->asleep_until_us = INT64_MIN;
        (void)!write(producer->wake_fd, &one, sizeof(one));
    }
}

enum freshet_producer_result freshet_producer_poll(struct freshet_producer *producer,
                                                   uint32_t wait_us)
{
    if (!producer_enter(producer)) {
        return FRESHET_PRODUCER_INSIDE;
    }
    enum freshet_producer_result result = FRESHET_PRODUCER_OK;
    if (producer->thread_runs) {
        result = FRESHET_PRODUCER_INVALID;
    } else if (wait_us == 0) {
        producer_turn(producer);
    } else {
        producer_wait(producer, producer_now_us() + wait_us);
    }
    producer_leave(producer);
    return result;
}

uint64_t freshet_producer_due_us(struct freshet_producer *producer)
{
    (void)pthread_mutex_lock(&producer->lock);
    int64_t due_us = producer_due_us(producer);
    int64_t now_us = producer_now_us();
    (void)pthread_mutex_unlock(&producer->lock);
    if (due_us == INT64_MAX) {
        return UINT64_MAX;
    }
    return due_us <= now_us ? 0 : (uint64_t)(due_us - now_us);
}

static uint64_t events_held(const struct freshet_producer *producer)
{
    uint64_t held = 0;
    for (uint32_t i = 0; i < producer->lane_count; i++) {
        held += producer_lane_events_held(&producer->lane[i]);
    }
    return held;
}

enum freshet_producer_result freshet_producer_flush(struct freshet_producer *producer,
                                                    uint64_t timeout_us)
{
    if (!producer_enter(producer)) {
        return FRESHET_PRODUCER_INSIDE;
    }
    int64_t timeout = timeout_us < INT64_MAX ? (int64_t)timeout_us : INT64_MAX;
    int64_t end_us = add_clamped(producer_now_us(), timeout);
    for (uint32_t i = 0; i < producer->lane_count; i++) {
        producer_lane_hurry(&producer->lane[i]);
        producer_wake(producer, &producer->lane[i]);
    }
    while (events_held(producer) > 0 && producer_now_us() < end_us) {
        producer_wait(producer, end_us);
    }
    bool settled = events_held(producer) == 0;
    producer_leave(producer);
    return settled ? FRESHET_PRODUCER_OK : FRESHET_PRODUCER_TIMEOUT;
}

static void *thread_run(void *argument)
{
    struct freshet_producer *producer = argument;
    (void)pthread_mutex_lock(&producer->lock);
    while (!producer->thread_ends) {
        producer_turn(producer);
        (void)pthread_cond_broadcast(&producer->moved);
        sleep_until(producer, INT64_MAX);
    }
    (void)pthread_mutex_unlock(&producer->lock);
    return NULL;
}

enum freshet_producer_result freshet_producer_start_thread(struct freshet_producer *producer)
{
    if (!producer_enter(producer)) {
        return FRESHET_PRODUCER_INSIDE;
    }
    enum freshet_producer_result result = FRESHET_PRODUCER_INVALID;
    if (!producer->thread_runs) {
        sigset_t all;
        sigset_t before;
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        errno = pthread_create(&producer->thread, NULL, thread_run, producer);
        producer->thread_runs = errno == 0;
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        result = producer->thread_runs ? FRESHET_PRODUCER_OK : FRESHET_PRODUCER_SYSTEM;
    }
    producer_leave(producer);
    return result;
}

void producer_thread_stop(struct freshet_producer *producer)
{
    (void)pthread_mutex_lock(&producer->lock);
    bool runs = producer->thread_runs;
    const uint64_t one = 1;
    producer->thread_ends = true;
    (void)!write(producer->wake_fd, &one, sizeof(one));
    (void)pthread_mutex_unlock(&producer->lock);
    if (runs) {
        (void)pthread_join(producer->thread, NULL);
    }
    producer->thread_runs = false;
}
