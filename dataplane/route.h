/* From a decoded burst to the owners of its rows: one batch per view for this shard, one forward
 * per event and other owner. */
#pragma once

struct worker;

/* Fills worker->batch[] with what this shard owns of the burst and pushes forwards for the rest.
 * The mesh has room: it was asked before the events were accepted. An event whose views all have
 * a null key becomes a drop. */
void route_burst(struct worker *worker);
