/* What happens to a machine: power cuts, kills, jumps of its clock, workers that are held up, a
 * full disk, bytes that rot. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct world;

/* Each step. */
void fate_turn(struct world *world);
/* The machine is down: time goes by, a byte may rot. */
void fate_down(struct world *world);
/* A start begins; tries: how often it was tried in a row. */
void fate_start(struct world *world, uint32_t tries);
/* A life has begun: decides how it may end. */
void fate_life(struct world *world);
/* Nothing ends the life by force from now on. */
void fate_peace(struct world *world);
/* No fault at all from now on. */
void fate_calm(struct world *world);
/* Brings back what rotted; false when nothing had. */
bool fate_rot_undo(struct world *world);
