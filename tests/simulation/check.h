/* The laws, checked when a life has begun and when a world is quiet. */
#pragma once

struct world;

/* After the logs' ends were found: what was promised is in them, and what was not is nowhere. */
void check_cut(struct world *world);
/* After rows and lanes were loaded: the state is what the records say. */
void check_loaded(struct world *world);
/* Nothing waits anywhere: counts balance, forwards are paid, and the state again. */
void check_quiet(struct world *world);
