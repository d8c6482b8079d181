/* A machine with a store, in one thread: workers on a simulated network and a virtual clock, and
 * recovery, logs, segments and checkpoints on a disk of the caller's. It starts as the appliance
 * does (controlplane/store.c), and each step of it may fail. One producer with one acked lane per
 * shard sends payments; what was acknowledged is known here.
 *
 *   machine_open -> { machine_start -> machine_pay, machine_settle, machine_checkpoint ->
 *   machine_stop } again and again -> machine_close
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "controlplane/checkpoint.h"
#include "controlplane/recovery.h"
#include "controlplane/segments.h"
#include "dataplane/reader.h"
#include "drivers/clock.h"
#include "drivers/disk.h"
#include "drivers/memory.h"
#include "drivers/net.h"

#define MACHINE_SHARDS       2u
#define MACHINE_CARDS        8u
#define MACHINE_SHOPS        3u
#define MACHINE_LANES_MAX    8u
#define MACHINE_MESSAGES_MAX 4096u /* Per lane. */

/* What a start found, in numbers to compare. */
struct machine_digest {
    uint64_t state_hash;
    uint64_t lane_hash;
    uint64_t end_lsn[MACHINE_SHARDS];
};

struct machine {
    struct disk *disk; /* Borrowed. */
    struct config config;
    struct clock clock;
    struct memory_region region[MACHINE_SHARDS];
    bool waits; /* A real disk: its writes take real time. */
    /* Of a life. */
    struct net_port *port;
    struct worker *worker[MACHINE_SHARDS];
    struct disk_queue *queue[MACHINE_SHARDS];
    struct recovery *recovery;
    struct segments *segments;
    struct checkpoint *checkpoint;
    struct reader *reader;
    int64_t since_us[VIEWS_MAX];
    char error[RECOVERY_ERROR_SIZE_MAX];
    /* The producer: message s of a lane holds an event for card and shop s % count. */
    uint64_t sent[MACHINE_SHARDS]; /* Greatest sequence. */
    bool acked[MACHINE_SHARDS][MACHINE_MESSAGES_MAX];
};

void machine_open(struct machine *machine, bool waits, int64_t start_us);
/* Between lives: as if nothing was ever sent. */
void machine_forget(struct machine *machine, int64_t start_us);
void machine_close(struct machine *machine);

/* Recovery alone: workers hold what the store has. machine.error says why not. */
MUST_USE enum result machine_load(struct machine *machine);
/* All of a start: from now on machine_turn() works. machine.error says why not. */
MUST_USE enum result machine_start(struct machine *machine);
/* Ends a life as the end of a process does, after any step. */
void machine_stop(struct machine *machine);

/* A turn of each worker, and sometimes of segments and checkpoints. RESULT_IO or RESULT_CLOSED: the
 * process would end. */
MUST_USE enum result machine_turn(struct machine *machine);
/* A new message on each lane. */
void machine_pay(struct machine *machine);
/* What was not acknowledged comes again, as it was. */
void machine_pay_again(struct machine *machine);
/* Turns until nothing is under way. RESULT_TIMEOUT: something stays; RESULT_IO: a log is dead. */
MUST_USE enum result machine_settle(struct machine *machine);
/* RESULT_BUSY: it failed and was counted; another one may be asked for. */
MUST_USE enum result machine_checkpoint(struct machine *machine);

/* Acknowledged, sent, and counted by each of the two views. */
uint64_t machine_acked(const struct machine *machine);
uint64_t machine_sent(const struct machine *machine);
/* A whole number that readers are told: "card.n_6h" of card 3. */
uint64_t machine_value(struct machine *machine, const char *feature, uint64_t id);
void machine_counts(struct machine *machine, uint64_t *out_cards, uint64_t *out_shops);
void machine_digest(struct machine *machine, struct machine_digest *out);
