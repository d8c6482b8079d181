#include "tests/simulation/check.h"

#include <string.h>

#include "controlplane/recovery_inside.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"
#include "dataplane/worker_state.h"
#include "tests/simulation/explain.h"
#include "tests/simulation/law.h"
#include "tests/simulation/world.h"

/* True when the disk may have lost what it acknowledged. */
static bool disk_may_lie(const struct world *world)
{
    return world->draw.lies || world->rot_count > 0;
}

/* A record that the log no longer has, although it was durable: nothing may speak of it. */
static void lie_check(struct world *world, uint32_t shard, uint64_t cut)
{
    uint64_t evidence = book_evidence(&world->book, shard);
    if (evidence > cut) {
        law_broken("damage is refused", "shard %u starts at %lx, and the disk tells of %lx", shard,
                   cut, evidence);
    }
    world->tally.unknowable++;
}

static void claims_check(struct world *world)
{
    const struct ledger_message *lost = ledger_lost(&world->ledger);
    if (lost != NULL) {
        law_broken("what is acknowledged is durable",
                   "producer %lu incarnation %u lane %u sequence %lu", lost->key.producer,
                   lost->key.incarnation, lost->key.lane, lost->key.sequence);
    }
}

/* The records from settled_count on are believed: they count for ever. */
static void records_settle(struct world *world, const uint64_t *cut)
{
    struct book *book = &world->book;
    uint64_t kept = book->settled_count;
    for (uint64_t i = book->settled_count; i < book->record_count; i++) {
        struct record *record = &book->record[i];
        const struct mirror_entry *entry = &record->entry;
        bool is_void =
            cut != NULL && entry->kind == MIRROR_FORWARD && entry->home_lsn > cut[entry->home];
        if (is_void) {
            if (entry->lsn <= world->complete_lsn[record->shard] && !disk_may_lie(world)) {
                law_broken("what is complete needs nothing lost",
                           "shard %u: LSN %lx of home %u's %lx", record->shard, entry->lsn,
                           entry->home, entry->home_lsn);
            }
            world->tally.voided++;
        }
        if (entry->kind == MIRROR_MESSAGE) {
            (void)ledger_recorded(&world->ledger, record->shard, entry);
        }
        if (!is_void) {
            struct record swap = book->record[kept];
            book->record[kept++] = *record;
            book->record[i] = swap;
        }
    }
    model_settle(&world->model, &book->record[book->settled_count], kept - book->settled_count);
    book->settled_count = book->record_count;
}

/* An epoch's begin, before its first record. */
static bool is_begin(uint64_t lsn)
{
    return lsn == lsn_of(lsn_epoch(lsn), 0);
}

/* Where a log was found to end; of a shard that the epoch before had not, where it ended last. */
static uint64_t cut_of(const struct world *world, uint32_t shard)
{
    const struct epoch_cut *cut = &world->life.recovery->cut;
    return cut->epoch != 0 && shard < cut->shard_count ? cut->cut[shard]
                                                       : world->book.shard[shard].last_lsn;
}

/* The store's shard count is another one than before: a start that changed it came that far. */
static void shard_count_note(struct world *world, uint32_t shard_count)
{
    if (shard_count != 0 && shard_count != world->model.shard_count) {
        model_reshard(&world->model, shard_count);
        for (uint32_t i = 0; i < DRAW_SHARDS_MAX; i++) {
            world->book.shard[i].segment = 0; /* A shard that comes again may count anew. */
            world->book.shard[i].place = 0;
        }
    }
}

void check_cut(struct world *world)
{
    uint64_t cut[DRAW_SHARDS_MAX];
    bool lied = false;
    for (uint32_t i = 0; i < DRAW_SHARDS_MAX; i++) {
        cut[i] = cut_of(world, i);
        world_note(world, cut[i]);
        bool short_of = cut[i] < world->durable_lsn[i] && !is_begin(world->durable_lsn[i]);
        if (short_of && !disk_may_lie(world)) {
            law_broken("what is durable stays", "shard %u: durable up to %lx, found up to %lx", i,
                       world->durable_lsn[i], cut[i]);
        }
        if (short_of) {
            lie_check(world, i, cut[i]);
            lied = true;
        }
        bool short_read = cut[i] > world->book.shard[i].last_lsn && !is_begin(cut[i]);
        if (short_read && world->draw.lies) {
            /* A write that the disk never made, of records that a checkpoint has: they are there,
             * and the log cannot tell what they are. */
            world->is_blind = true;
            world->tally.unknowable++;
            return;
        }
        if (short_read) {
            law_broken("a log ends with its last good frame", "shard %u: %lx, but %lx was read", i,
                       cut[i], world->book.shard[i].last_lsn);
        }
    }
    if (lied) {
        world->is_blind = true; /* What was settled is gone, and nobody can know. */
        return;
    }
    book_cut(&world->book, world->life.recovery->cut.epoch, cut);
    shard_count_note(world, world->life.recovery->report.old_shard_count);
    records_settle(world, cut);
    claims_check(world);
}

/* Horizons that no shard's folding has passed. */
static void horizons_of(const struct world *world, int64_t fold_us[STREAMS_MAX])
{
    const struct plan *plan = world->plan;
    for (uint32_t s = 0; s < STREAMS_MAX; s++) {
        fold_us[s] = INT64_MIN;
        if (s >= plan->stream_count) {
            continue;
        }
        int64_t watermark_us = world->model.watermark_us[s];
        for (uint32_t i = 0; i < world->draw.shard_count; i++) {
            int64_t own_us = world->life.worker[i]->watermark_us[s];
            watermark_us = own_us > watermark_us ? own_us : watermark_us;
        }
        fold_us[s] = sub_clamped(watermark_us, plan->stream[s].history_us);
    }
}

/* The state of all shards, vshard by vshard, is the model's. */
static void state_check(struct world *world, const char *when)
{
    int64_t fold_us[STREAMS_MAX];
    horizons_of(world, fold_us);
    uint64_t bytes = VSHARD_COUNT * sizeof(uint64_t);
    memset(world->vshards, 0, bytes);
    memset(world->vshards_model, 0, bytes);
    for (uint32_t i = 0; i < world->draw.shard_count; i++) {
        shard_state_hash(&world->life.worker[i]->shard, fold_us, world->vshards, world->scratch);
    }
    model_hash(&world->model, fold_us, world->vshards_model, world->scratch);
    for (uint32_t v = 0; v < VSHARD_COUNT; v++) {
        if (world->vshards[v] != world->vshards_model[v]) {
            for (uint32_t i = 0; i < world->draw.shard_count; i++) {
                explain_vshard("appliance", &world->life.worker[i]->shard, v, fold_us,
                               world->scratch);
            }
            explain_vshard("model", world->model.shard, v, fold_us, world->scratch);
            law_broken("the state is what the records say", "vshard %u of shard %u, %s", v,
                       v * world->draw.shard_count >> VSHARD_BITS, when);
        }
    }
    world_note(world, XXH3_64bits(world->vshards, bytes));
    world->tally.states++;
}

/* What records moved, replay moves; live, events without a key move it too. */
static void watermarks_check(const struct world *world)
{
    for (uint32_t s = 0; s < world->plan->stream_count; s++) {
        int64_t most_us = INT64_MIN;
        for (uint32_t i = 0; i < world->draw.shard_count; i++) {
            int64_t own_us = world->life.worker[i]->watermark_us[s];
            most_us = own_us > most_us ? own_us : most_us;
        }
        if (most_us < world->model.watermark_us[s]) {
            law_broken("watermarks come back", "stream %u: %ld, records say %ld", s, most_us,
                       world->model.watermark_us[s]);
        }
    }
}

void check_loaded(struct world *world)
{
    const struct recovery_report *report = recovery_report(world->life.recovery);
    if (world->is_blind) {
        return;
    }
    shard_count_note(world, world->draw.shard_count);
    world->tally.again += report->again;
    world->tally.torn_bytes += report->torn_bytes;
    watermarks_check(world);
    state_check(world, "after a start");
}

static void balance_check(const struct world *world)
{
    int64_t balance = 0;
    int64_t forwards = 0;
    for (uint32_t i = 0; i < world->draw.shard_count; i++) {
        const struct counters *counters = worker_counters(world->life.worker[i]);
        for (uint32_t s = 0; s <= STREAMS_MAX; s++) {
            const struct counters_stream *stream = &counters->stream[s];
            balance += (int64_t)counter_read(&stream->shared_received);
            balance -= (int64_t)counter_read(&stream->shared_applied);
            for (uint32_t drop = 0; drop < DROP_COUNT; drop++) {
                balance -= (int64_t)counter_read(&stream->shared_drop[drop]);
            }
        }
        forwards += (int64_t)counter_read(&counters->shared[COUNTER_events_forwarded]);
        forwards -= (int64_t)counter_read(&counters->shared[COUNTER_forwards_applied]);
    }
    forwards += (int64_t)world->life.again;
    if (balance != 0 || forwards != 0) {
        law_broken("counts balance", "events %ld, forwards %ld", balance, forwards);
    }
}

void check_quiet(struct world *world)
{
    book_read(&world->book);
    for (uint32_t i = 0; i < world->draw.shard_count; i++) {
        uint64_t lsn = world->life.worker[i]->shard.lsn;
        uint64_t found = world->book.shard[i].last_lsn;
        bool none = lsn == lsn_of(lsn_epoch(lsn), 0);
        if (!none && found != lsn && !disk_may_lie(world)) {
            law_broken("all is durable when all is quiet", "shard %u: %lx given, %lx in the log", i,
                       lsn, found);
        }
    }
    if (disk_may_lie(world)) {
        return; /* What the log has, the next start will tell. */
    }
    records_settle(world, NULL);
    claims_check(world);
    balance_check(world);
    const struct model_forward *owed = model_owed(&world->model);
    if (owed != NULL) {
        law_broken("what is forwarded is applied",
                   "LSN %lx of home %u at owner %u: views %x, there %x", owed->home_lsn, owed->home,
                   owed->owner, owed->views, owed->paid);
    }
    state_check(world, "when all was quiet");
    for (uint32_t i = 0; i < world->draw.shard_count; i++) {
        world_note(world, world->life.worker[i]->shard.lsn);
    }
}
