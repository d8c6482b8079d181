#include "tests/simulation/draw.h"

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"

static uint64_t between(struct random *random, uint64_t least, uint64_t most)
{
    return least + random_below(random, most - least + 1);
}

static bool percent(struct random *random, uint32_t chance)
{
    return random_below(random, 100) < chance;
}

/* A fault is absent, rare or frequent. */
static uint32_t ppm(struct random *random, uint32_t frequent)
{
    switch (random_below(random, 4)) {
    case 0:
    case 1:
        return 0;
    case 2:
        return frequent / 10;
    default:
        return frequent;
    }
}

static void network_draw(struct random *random, struct draw *draw)
{
    struct draw_network *network = &draw->network;
    network->lost_ppm = ppm(random, 200000);
    network->twice_ppm = ppm(random, 100000);
    network->again_ppm = ppm(random, 50000);
    network->corrupt_ppm = draw->keys ? ppm(random, 50000) : 0;
    network->delay_us_min = (uint32_t)between(random, 1, 200);
    network->delay_us_max =
        network->delay_us_min + (percent(random, 60) ? (uint32_t)between(random, 1, 20000) : 0);
}

static void disk_draw(struct random *random, struct draw *draw)
{
    struct disk_simulated_faults *disk = &draw->disk;
    draw->latency_us_min = (uint32_t)between(random, 1, 300);
    draw->latency_us_max = draw->latency_us_min + (uint32_t)between(random, 0, 3000);
    disk->slow_ppm = ppm(random, 5000);
    disk->again_ppm = ppm(random, 50000);
    disk->short_ppm = ppm(random, 50000);
    disk->refuse_ppm = ppm(random, 50000);
    if (draw->profile == DRAW_LIGHT) {
        return;
    }
    disk->broken_ppm = ppm(random, 10000);
    disk->full_ppm = ppm(random, 10000);
    disk->read_broken_ppm = ppm(random, 2000);
    disk->sync_broken_ppm = ppm(random, 5000);
    draw->fills = percent(random, 20);
    draw->rots = percent(random, 10);
    draw->lies = !draw->rots && percent(random, 10);
    if (draw->lies) {
        disk->lost_ppm = ppm(random, 5000);
        disk->misdirect_ppm = ppm(random, 5000);
    }
}

void draw_make(uint64_t seed, enum draw_profile profile, uint32_t shard_count, struct draw *out)
{
    struct random random;
    random_seed(&random, seed ^ UINT64_C(0x7365656473656564));
    *out = (struct draw){.seed = seed, .profile = profile};
    out->shard_count = (uint32_t)between(&random, 1, DRAW_SHARDS_MAX);
    out->shard_count = shard_count > 0 ? shard_count : out->shard_count;
    out->lives = (uint32_t)between(&random, 3, 9);
    out->life_steps_max = (uint32_t)between(&random, 300, 4000);
    if (percent(&random, 8)) { /* Long enough for segments to come round. */
        out->lives = 2;
        out->life_steps_max = 40000;
    }
    out->recovery_crash_percent = percent(&random, 50) ? (uint32_t)between(&random, 5, 50) : 0;
    out->senders = (uint32_t)between(&random, 1, 4);
    out->gap_us = (uint32_t)between(&random, 50, 3000);
    out->keys = percent(&random, 40);
    out->text = !out->keys && percent(&random, 50);
    out->wild = percent(&random, 30);
    out->reshards = shard_count == 0 && percent(&random, 20);
    network_draw(&random, out);
    disk_draw(&random, out);
    out->state_bytes = percent(&random, 15) ? 12 * MIB : 32 * MIB;
    out->segment_bytes = MIB;
    bool keeps = percent(&random, 50);
    out->keep_us = keeps ? INT64_MAX / 4 : 1;
    out->keep_bytes = keeps ? UINT64_MAX / 4 : 1;
    out->archive = percent(&random, 30);
    out->checkpoint_us = (int64_t)between(&random, 5, percent(&random, 50) ? 30 : 400) * US_PER_MS;
    out->clock_jumps = percent(&random, 40);
}

void draw_print(FILE *file, const struct draw *draw)
{
    const struct draw_network *network = &draw->network;
    const struct disk_simulated_faults *disk = &draw->disk;
    fprintf(file, "  %s, %u shards, %u lives of up to %u steps, starts cut short %u %%\n",
            draw->profile == DRAW_FULL ? "full" : "light", draw->shard_count, draw->lives,
            draw->life_steps_max, draw->recovery_crash_percent);
    fprintf(file, "  %u senders, an event each %u us%s%s%s\n", draw->senders, draw->gap_us,
            draw->keys ? ", keys" : "", draw->text ? ", text" : "", draw->wild ? ", wild" : "");
    fprintf(file, "  network, ppm: lost %u, twice %u, again %u, corrupt %u; delay %u to %u us\n",
            network->lost_ppm, network->twice_ppm, network->again_ppm, network->corrupt_ppm,
            network->delay_us_min, network->delay_us_max);
    fprintf(file,
            "  disk, ppm: again %u, short %u, broken %u, full %u, read %u, sync %u, refuse %u, "
            "slow %u, misdirected %u, lost %u\n",
            disk->again_ppm, disk->short_ppm, disk->broken_ppm, disk->full_ppm,
            disk->read_broken_ppm, disk->sync_broken_ppm, disk->refuse_ppm, disk->slow_ppm,
            disk->misdirect_ppm, disk->lost_ppm);
    fprintf(file, "  disk: %u to %u us%s%s%s\n", draw->latency_us_min, draw->latency_us_max,
            draw->fills ? ", fills" : "", draw->lies ? ", lies" : "", draw->rots ? ", rots" : "");
    fprintf(file, "  state %lu MiB, keeps %s%s, checkpoint each %ld ms%s\n",
            draw->state_bytes / MIB, draw->keep_us > 1 ? "all" : "little",
            draw->archive ? ", archive" : "", draw->checkpoint_us / US_PER_MS,
            draw->clock_jumps ? ", the clock jumps" : "");
    fprintf(file, "%s", draw->reshards ? "  shard counts change\n" : "");
}
