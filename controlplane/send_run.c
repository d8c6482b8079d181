#include "controlplane/send_run.h"

#include <inttypes.h>
#include <stdio.h>

#include "dataplane/base/units.h"

uint64_t send_events_sent(const struct send_run *run)
{
    return run->is_acked ? run->acked->stats.events_taken : run->lane->events_sent;
}

void send_answer_ask(struct send_run *run, struct client *client, const struct send_outcome *before,
                     struct send_answer *out)
{
    uint64_t sent = send_events_sent(run);
    json_t *status = send_outcome_wait(client, run->stream, before, sent);
    struct send_outcome after;
    if (status == NULL || !send_outcome_read(status, run->stream, &after)) {
        json_decref(status);
        return;
    }
    out->known = true;
    out->outcome = (struct send_outcome){
        .received = after.received - before->received,
        .applied = after.applied - before->applied,
        .late = after.late - before->late,
        .duplicate = after.duplicate - before->duplicate,
        .dropped = after.dropped - before->dropped,
    };
    uint64_t messages;
    if (run->is_acked) {
        json_decref(status);
        return;
    }
    out->lost = out->outcome.received < sent ? sent - out->outcome.received : 0;
    /* Others send to the stream, too: only the lane knows which messages are missing. */
    if (out->outcome.received > sent &&
        send_lane_messages(status, run->producer, (uint32_t)run->incarnation, &messages) &&
        messages < run->lane->messages_sent) {
        uint64_t missing = run->lane->messages_sent - messages;
        uint64_t events = missing * run->lane->encoder.event_max;
        out->lost = events < sent ? events : sent;
    }
    json_decref(status);
}

static void answer_print_json(const struct send_run *run, const struct send_answer *answer)
{
    uint64_t messages = run->is_acked ? run->acked->stats.messages_sent : run->lane->messages_sent;
    int64_t start_ns = run->is_acked ? run->acked->start_ns : run->lane->start_ns;
    json_t *object =
        json_pack("{s:s, s:I, s:I, s:I, s:I, s:f}", "stream", run->stream, "sent",
                  (json_int_t)send_events_sent(run), "messages", (json_int_t)messages, "not_events",
                  (json_int_t)run->bad_count, "ignored", (json_int_t)run->file.ignored, "seconds",
                  start_ns == 0 ? 0.0 : (double)(run->end_ns - start_ns) / (double)NS_PER_SECOND);
    if (run->is_acked) {
        (void)json_object_set_new(object, "acked", send_acked_json(run->acked));
    }
    const struct send_outcome *o = &answer->outcome;
    json_t *outcome =
        answer->known
            ? json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "received", (json_int_t)o->received,
                        "applied", (json_int_t)o->applied, "late", (json_int_t)o->late, "duplicate",
                        (json_int_t)o->duplicate, "dropped", (json_int_t)o->dropped, "lost",
                        (json_int_t)answer->lost)
            : json_null();
    (void)json_object_set_new(object, "outcome", outcome);
    (void)json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    printf("\n");
    json_decref(object);
}

void send_answer_print(const struct send_run *run, const struct send_answer *answer)
{
    if (run->json) {
        answer_print_json(run, answer);
        return;
    }
    if (run->file.ignored > 0) {
        printf("ignored           %" PRIu32 " %s that are no fields of %s\n", run->file.ignored,
               run->file.form == EVENT_FILE_NDJSON ? "members" : "columns", run->stream);
    }
    if (run->bad_count > 0) {
        printf("not sent          %" PRIu64 " records that are no events\n", run->bad_count);
    }
    if (run->is_acked) {
        send_acked_print(run->acked);
    } else {
        printf("sent              %" PRIu64 " events in %" PRIu64 " messages\n",
               run->lane->events_sent, run->lane->messages_sent);
    }
    if (!answer->known) {
        printf("no server answers: what became of them cannot be told\n");
        return;
    }
    printf("applied           %" PRIu64 "\n"
           "late              %" PRIu64 "\n"
           "duplicate         %" PRIu64 "\n"
           "dropped           %" PRIu64 "%s\n",
           answer->outcome.applied, answer->outcome.late, answer->outcome.duplicate,
           answer->outcome.dropped, answer->outcome.dropped > 0 ? " (see `freshet drops`)" : "");
    if (!run->is_acked) {
        printf("lost on the way   %" PRIu64 "\n", answer->lost);
    }
}
