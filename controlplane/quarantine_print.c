#include "controlplane/quarantine_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/inspect.h"
#include "controlplane/store_check.h"
#include "dataplane/base/drops.h"
#include "dataplane/feature/mirror_format.h"

#define POSITION_SIZE_MAX 48u
#define STREAM_SIZE_MAX   (NAME_SIZE_MAX + 16)

/* "0:3:17": shard, epoch, number. */
static const char *position_format(const struct quarantine_event *event,
                                   char out[POSITION_SIZE_MAX])
{
    char lsn[STORE_LSN_SIZE_MAX];
    (void)snprintf(out, POSITION_SIZE_MAX, "%u:%s", event->shard,
                   store_lsn_format(event->lsn, lsn));
    return out;
}

static const char *stream_name(const struct quarantine_event *event, char out[STREAM_SIZE_MAX])
{
    if (event->stream != NULL) {
        return event->stream->name;
    }
    (void)snprintf(out, STREAM_SIZE_MAX, "(id %u)", event->stream_id);
    return out;
}

/* The drop with the same name, for its sentence; DROP_NONE for an event that was applied. */
static enum drop drop_of(const struct quarantine_event *event)
{
    const char *name = verdict_name(verdict_reason(event->verdict));
    uint32_t drop = 0;
    while (drop < DROP_COUNT && strcmp(drop_name((enum drop)drop), name) != 0) {
        drop++;
    }
    return (enum drop)drop;
}

static const char *rule_of(const struct quarantine_event *event)
{
    enum drop drop = drop_of(event);
    enum rule rule = drop == DROP_NONE ? RULE_COUNT : rule_of_drop(drop);
    return rule == RULE_COUNT ? NULL : rule_name(rule);
}

/* What an event shows; false: its fields cannot be told. */
static bool event_take(struct event_show *show, const struct quarantine_event *event)
{
    return event->stream != NULL &&
           event_show_take(show, event->stream, event->version, event->bytes, event->size);
}

json_t *quarantine_event_json(struct event_show *show, const struct quarantine_event *event)
{
    char position[POSITION_SIZE_MAX];
    json_t *object = json_object();
    json_t *fields = json_object();
    const char *field = quarantine_field_name(event);
    bool shown = event_take(show, event);
    for (uint32_t f = 0; shown && f < event->stream->field_count; f++) {
        json_object_set_new(fields, event->stream->field[f].name, event_show_json(show, f));
    }
    json_object_set_new(object, "position", json_string(position_format(event, position)));
    json_object_set_new(object, "shard", json_integer(event->shard));
    json_object_set_new(object, "lsn", inspect_lsn_json(event->lsn));
    json_object_set_new(object, "decided_us", json_integer(event->apply_us));
    json_object_set_new(object, "stream",
                        event->stream == NULL ? json_null() : json_string(event->stream->name));
    json_object_set_new(object, "stream_id", json_integer(event->stream_id));
    json_object_set_new(object, "version", json_integer(event->version));
    json_object_set_new(object, "reason",
                        json_string(verdict_name(verdict_reason(event->verdict))));
    json_object_set_new(object, "quarantined",
                        json_boolean(verdict_is_quarantined(event->verdict)));
    const char *rule = rule_of(event);
    json_object_set_new(object, "rule", rule == NULL ? json_null() : json_string(rule));
    json_object_set_new(object, "field", field == NULL ? json_null() : json_string(field));
    json_object_set_new(object, "text", json_boolean(event->text));
    json_object_set_new(object, "producer", json_integer((json_int_t)event->producer));
    json_object_set_new(object, "lane", json_integer(event->lane));
    json_object_set_new(object, "incarnation", json_integer(event->incarnation));
    json_object_set_new(object, "sequence", json_integer((json_int_t)event->sequence));
    json_object_set_new(object, "fields", shown ? fields : json_null());
    if (!shown) {
        json_decref(fields);
    }
    return object;
}

static void sender_print(const struct quarantine_event *event)
{
    if (event->text) {
        printf("text, shard %u", event->shard);
    } else {
        printf("producer %" PRIu64 " lane %u", event->producer, event->lane);
    }
    printf(", sequence %" PRIu64 "\n", event->sequence);
}

/* The value whose rule was broken. */
static void culprit_print(struct event_show *show, const struct quarantine_event *event)
{
    const char *field = quarantine_field_name(event);
    if (field == NULL) {
        printf("%-16s %-24s ", "-", "-");
        return;
    }
    struct buffer value;
    buffer_init(&value, 0);
    if (event_take(show, event)) {
        event_show_text(show, verdict_field(event->verdict), &value);
    }
    printf("%-16s %-24.*s ", field, (int)value.size, value.size == 0 ? "" : value.data);
    buffer_deinit(&value);
}

static void line_print(struct event_show *show, const struct quarantine_event *event)
{
    char position[POSITION_SIZE_MAX];
    char time[INSPECT_TIME_SIZE_MAX];
    char stream[STREAM_SIZE_MAX];
    printf("%-14s %s  %-16s %-18s ", position_format(event, position),
           inspect_time_format(event->apply_us, time), stream_name(event, stream),
           verdict_name(verdict_reason(event->verdict)));
    culprit_print(show, event);
    sender_print(event);
}

void quarantine_list_print(struct event_show *show, const struct quarantine *quarantine)
{
    if (quarantine->count == 0) {
        printf("no events\n");
        return;
    }
    printf("%-14s %-27s  %-16s %-18s %-16s %-24s %s\n", "position", "decided", "stream", "reason",
           "field", "value", "from");
    for (uint32_t i = 0; i < quarantine->count; i++) {
        line_print(show, &quarantine->event[i]);
    }
}

void quarantine_event_print(struct event_show *show, const struct quarantine_event *event)
{
    char position[POSITION_SIZE_MAX];
    char time[INSPECT_TIME_SIZE_MAX];
    char stream[STREAM_SIZE_MAX];
    enum drop drop = drop_of(event);
    const char *culprit = quarantine_field_name(event);
    printf("%s  stream %s, version %u, decided %s\nfrom ", position_format(event, position),
           stream_name(event, stream), event->version, inspect_time_format(event->apply_us, time));
    sender_print(event);
    printf("incarnation %u%s\n", event->incarnation, event->acked ? ", acked lane" : "");
    if (drop == DROP_NONE) {
        printf("applied\n\n");
    } else {
        printf("%s: %s: %s\n\n",
               verdict_is_quarantined(event->verdict) ? "quarantined" : "not applied",
               drop_name(drop), drop_sentence(drop));
    }
    if (!event_take(show, event)) {
        printf("%u bytes; no plan is left that says what they are\n", event->size);
        return;
    }
    for (uint32_t f = 0; f < event->stream->field_count; f++) {
        const char *name = event->stream->field[f].name;
        struct buffer value;
        buffer_init(&value, 0);
        event_show_text(show, f, &value);
        printf("  %-20s %.*s%s\n", name, (int)value.size, value.data,
               culprit != NULL && strcmp(culprit, name) == 0 ? "   <- broke the rule" : "");
        buffer_deinit(&value);
    }
}
