#include "controlplane/send_outcome.h"

#include <string.h>
#include <time.h>

#define ASKS_QUIET      10u /* In a row, without a change. */
#define ASKS_MAX        200u
#define ASK_INTERVAL_NS 50000000L

static uint64_t member(const json_t *object, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(object, name));
}

bool send_outcome_read(const json_t *status, const char *stream, struct send_outcome *out)
{
    size_t index;
    const json_t *entry;
    json_array_foreach(json_object_get(status, "streams"), index, entry)
    {
        const char *name = json_string_value(json_object_get(entry, "stream"));
        if (name == NULL || strcmp(name, stream) != 0) {
            continue;
        }
        out->received = member(entry, "received");
        out->applied = member(entry, "applied");
        out->late = member(entry, "late");
        out->duplicate = member(entry, "duplicate");
        uint64_t dropped = member(entry, "dropped");
        uint64_t named = out->late + out->duplicate;
        out->dropped = dropped > named ? dropped - named : 0;
        return true;
    }
    return false;
}

bool send_lane_messages(const json_t *status, uint64_t producer, uint32_t incarnation,
                        uint64_t *out_messages)
{
    size_t index;
    const json_t *lane;
    json_array_foreach(json_object_get(status, "lanes"), index, lane)
    {
        if (member(lane, "producer") == producer && member(lane, "incarnation") == incarnation &&
            member(lane, "lane") == 0) {
            *out_messages = member(lane, "messages");
            return true;
        }
    }
    return false;
}

json_t *send_outcome_wait(struct client *client, const char *stream,
                          const struct send_outcome *before, uint64_t expected)
{
    const struct timespec interval = {.tv_nsec = ASK_INTERVAL_NS};
    const char *argument[] = {"FS.STATUS"};
    struct send_outcome last = {0};
    uint32_t quiet = 0;
    json_t *status = NULL;
    for (uint32_t asks = 0; asks < ASKS_MAX && quiet < ASKS_QUIET; asks++) {
        struct send_outcome now = {0};
        json_decref(status);
        status = client_json(client, 1, argument);
        if (status == NULL || !send_outcome_read(status, stream, &now)) {
            break;
        }
        uint64_t settled = now.applied + now.late + now.duplicate + now.dropped;
        if (now.received >= before->received + expected && settled >= now.received) {
            break;
        }
        quiet = memcmp(&now, &last, sizeof(now)) == 0 ? quiet + 1 : 0;
        last = now;
        (void)nanosleep(&interval, NULL);
    }
    return status;
}
