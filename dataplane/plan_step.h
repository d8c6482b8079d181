/* A worker's side of plan_door.h. */
#pragma once

struct worker;

/* Events of this home go to all views of the plan from now on. */
void plan_routes_all(struct worker *worker);
/* At the begin of a turn: takes the step that was set since. */
void plan_step_enter(struct worker *worker);
