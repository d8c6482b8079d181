#include "tests/simulation/fate.h"

#include <string.h>

#include "drivers/disk_simulated.h"
#include "drivers/disk_simulated_driver.h"
#include "tests/simulation/world.h"

static uint64_t below(struct world *world, uint64_t limit)
{
    return random_below(&world->random, limit);
}

static void clock_turn(struct world *world)
{
    if (!world->draw.clock_jumps || world->calm || below(world, 3000) != 0) {
        return;
    }
    switch (below(world, 4)) {
    case 0:
        world->frozen_us = world->now_us + (int64_t)below(world, 200000);
        break;
    case 1:
        world->offset_us -= (int64_t)below(world, 3 * (uint64_t)US_PER_SECOND);
        break;
    case 2:
        world->offset_us += (int64_t)below(world, 3 * (uint64_t)US_PER_SECOND);
        break;
    default:
        world->offset_us += (int64_t)below(world, 300 * (uint64_t)US_PER_SECOND);
        break;
    }
    clock_set_virtual(&world->clock, world->now_us + world->offset_us);
}

static void capacity_turn(struct world *world)
{
    if (!world->draw.fills || world->calm) {
        return;
    }
    if (world->full_until_us != 0 && world->now_us >= world->full_until_us) {
        world->full_until_us = 0;
        disk_simulated_capacity_set(world->disk, 0);
    } else if (world->full_until_us == 0 && below(world, 2000) == 0) {
        world->full_until_us = world->now_us + (int64_t)below(world, 300000);
        disk_simulated_capacity_set(world->disk, 1);
    }
}

static void stall_turn(struct world *world)
{
    if (!world->calm && below(world, 1000) == 0) {
        world->stalled_us[below(world, world->draw.shard_count)] =
            world->now_us + (int64_t)below(world, 10000);
    }
}

static void end_turn(struct world *world)
{
    if (world->end_step == 0 || world->step < world->end_step) {
        return;
    }
    world->end_step = 0;
    if (world->end_kills) {
        world->tally.kills++;
        disk_simulated_kill(world->disk);
    } else {
        disk_simulated_crash(world->disk);
    }
}

void fate_turn(struct world *world)
{
    clock_turn(world);
    capacity_turn(world);
    stall_turn(world);
    end_turn(world);
}

/* A byte of some file changes. */
static void rot(struct world *world)
{
    const struct disk_name_table *seen = &simulated_disk_of(world->disk)->names.seen;
    if (seen->count == 0 || world->rot_count == WORLD_ROTS_MAX) {
        return;
    }
    const struct disk_name *name = &seen->name[below(world, seen->count)];
    if (name->inode == NULL || name->inode->size == 0) {
        return;
    }
    struct world_rot *rot = &world->rot[world->rot_count];
    memcpy(rot->name, name->name, sizeof(rot->name));
    uint64_t size = name->inode->size;
    uint64_t near = size < 64 * KIB ? size : 64 * KIB;
    rot->offset = below(world, below(world, 4) == 0 ? size : near);
    rot->mask = (uint8_t)(1u << below(world, 8));
    if (disk_simulated_flip(world->disk, rot->name, rot->offset, rot->mask)) {
        world->rot_count++;
        world->tally.rots++;
    }
}

static void reshard(struct world *world)
{
    if (world->draw.reshards && !world->calm && below(world, 3) == 0) {
        world->draw.shard_count = 1 + (uint32_t)below(world, DRAW_SHARDS_MAX);
    }
}

void fate_down(struct world *world)
{
    int64_t us = (int64_t)below(world, 200000);
    world->now_us += us;
    clock_set_virtual(&world->clock, world->now_us + world->offset_us);
    if (world->draw.rots && !world->calm && below(world, 3) == 0) {
        rot(world);
    }
    reshard(world);
}

bool fate_rot_undo(struct world *world)
{
    bool any = world->rot_count > 0;
    while (world->rot_count > 0) {
        const struct world_rot *rot = &world->rot[--world->rot_count];
        (void)disk_simulated_flip(world->disk, rot->name, rot->offset, rot->mask);
    }
    return any;
}

static void faults_set(struct world *world, bool on)
{
    static const struct disk_simulated_faults none;
    disk_simulated_faults_set(world->disk, on && !world->calm ? &world->draw.disk : &none);
}

void fate_start(struct world *world, uint32_t tries)
{
    /* After some tries a start is let through: faults there are for it, not for what follows. */
    bool on = !world->calm && tries < 4;
    faults_set(world, on);
    if (!on) {
        disk_simulated_capacity_set(world->disk, 0);
        world->full_until_us = 0;
    }
    if (on && below(world, 100) < world->draw.recovery_crash_percent) {
        if (below(world, 2) == 0) {
            disk_simulated_crash_after(world->disk, 1 + below(world, 60));
        } else {
            world->end_step = world->step + 1 + below(world, 400);
            world->end_kills = below(world, 3) == 0;
        }
    }
}

void fate_life(struct world *world)
{
    faults_set(world, true);
    world->end_step = 0;
    disk_simulated_crash_after(world->disk, 0);
    switch (world->calm ? 3 : below(world, 4)) {
    case 0:
        disk_simulated_crash_after(world->disk, 1 + below(world, 400));
        break;
    case 1:
        world->end_step = world->step + 1 + below(world, world->draw.life_steps_max);
        world->end_kills = false;
        break;
    case 2:
        world->end_step = world->step + 1 + below(world, world->draw.life_steps_max);
        world->end_kills = true;
        break;
    default:
        break; /* It runs its time; a stop, or a kill. */
    }
}

void fate_peace(struct world *world)
{
    disk_simulated_crash_after(world->disk, 0);
    world->end_step = 0;
    memset(world->stalled_us, 0, sizeof(world->stalled_us));
    disk_simulated_capacity_set(world->disk, 0);
    world->full_until_us = 0;
}

void fate_calm(struct world *world)
{
    world->calm = true;
    fate_peace(world);
    faults_set(world, false);
    network_calm(&world->network);
    senders_stop(&world->senders);
}
