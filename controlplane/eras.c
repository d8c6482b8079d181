#include "controlplane/eras.h"

#include <string.h>

static void epoch_add(struct eras *eras, uint32_t epoch, uint32_t shard_count, const uint64_t *cut)
{
    struct era *era = &eras->era[eras->count];
    if (eras->count > 0 && era[-1].shard_count == shard_count) {
        era--;
    } else {
        *era =
            (struct era){.first_epoch = eras->count == 0 ? 0 : epoch, .shard_count = shard_count};
        era_notes_begin(era);
        eras->count++;
    }
    era->last_epoch = cut == NULL ? EPOCH_MAX : epoch;
    if (cut != NULL) {
        memcpy(era->last_lsn, cut, shard_count * sizeof(*cut));
    }
}

void eras_of_epochs(const struct epochs *epochs, bool running, struct eras *out_eras)
{
    out_eras->count = 0;
    for (uint32_t i = 0; i < epochs->cut_count; i++) {
        const struct epoch_cut *cut = &epochs->cut[i];
        epoch_add(out_eras, cut->epoch, cut->shard_count, cut->cut);
    }
    uint32_t ended = epochs->cut_count == 0 ? 0 : epochs->cut[epochs->cut_count - 1].epoch;
    if (running && epochs->epoch > ended) {
        epoch_add(out_eras, epochs->epoch, epochs->shard_count, NULL);
    }
}

enum result era_log_open(struct disk *disk, const uint8_t store_id[MIRROR_STORE_ID_BYTES],
                         const struct era *era, uint32_t shard, bool archives,
                         struct log_reader **out_reader)
{
    enum result result = archives ? log_reader_open_all(disk, store_id, shard, out_reader)
                                  : log_reader_open(disk, store_id, shard, out_reader);
    if (result == RESULT_OK) {
        log_reader_epochs_set(*out_reader, era->first_epoch, era->last_epoch, era->shard_count);
    }
    return result;
}

void era_notes_begin(struct era *era)
{
    era->has_hole = false;
    era->begin_us = INT64_MAX;
    era->since_us = INT64_MIN;
}

/* Whether the cut tells of a record that was of this era. */
static bool was_logged(const struct era *era, uint32_t shard)
{
    uint64_t cut = era->last_lsn[shard];
    return lsn_number(cut) != 0 && lsn_epoch(cut) >= era->first_epoch;
}

/* An era's logs begin anew, at the number 0 of its first epoch; the oldest era's at no epoch. */
static bool is_begin(const struct era *era, uint64_t before_lsn)
{
    return era->first_epoch == 0 ? before_lsn == 0 : lsn_number(before_lsn) == 0;
}

void era_log_note(struct era *era, uint32_t shard, const struct log_reader *reader, uint32_t first)
{
    if (first >= log_reader_segment_count(reader)) {
        era->has_hole = era->has_hole || was_logged(era, shard);
        era->after_lsn[shard] = era->last_lsn[shard];
        return;
    }
    const struct mirror_segment *oldest = log_reader_segment(reader, first);
    bool cut = !is_begin(era, oldest->before_lsn);
    int64_t created_us = oldest->created_us;
    era->after_lsn[shard] = oldest->before_lsn;
    era->begin_us = created_us < era->begin_us ? created_us : era->begin_us;
    era->since_us = cut && created_us > era->since_us ? created_us : era->since_us;
}

bool eras_keep_some(const struct eras *eras)
{
    for (uint32_t i = 0; i < eras->count; i++) {
        if (eras->era[i].begin_us != INT64_MAX) {
            return true;
        }
    }
    return false;
}

int64_t eras_since_us(const struct eras *eras, int64_t created_us, int64_t now_us)
{
    int64_t since_us = created_us;
    bool hole = false;
    for (uint32_t i = 0; i < eras->count; i++) {
        const struct era *era = &eras->era[i];
        /* What is gone of an era is missing up to the begin of one that is kept. */
        if (hole && era->begin_us != INT64_MAX) {
            since_us = era->begin_us > since_us ? era->begin_us : since_us;
            hole = false;
        }
        since_us = era->since_us > since_us ? era->since_us : since_us;
        hole = hole || era->has_hole;
    }
    return hole && now_us > since_us ? now_us : since_us;
}
