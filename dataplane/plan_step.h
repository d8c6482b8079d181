/* A worker's side of plan_door.h. */
#pragma once

#include <stdint.h>

struct worker;

/* Events of this home go to the views of the plan below view_end from now on. */
void plan_route(struct worker *worker, uint32_t view_end);
/* At the begin of a turn: takes the step that was set since. */
void plan_step_enter(struct worker *worker);
