/* From a datagram to events applied or forwarded: accept, decode, validate, judge, route, apply.
 * Every event that does not get through is counted under one named reason. */
#pragma once

#include <stdint.h>

#include "dataplane/base/drops.h"

struct net_message;
struct mesh_forward;
struct worker;

/* Takes one datagram that arrived on a port (its index), about which authentication says drop
 * (DROP_NONE: go on). Its bytes stay valid until ingress_finish(). */
void ingress_take(struct worker *worker, const struct net_message *message, uint32_t port,
                  enum drop drop);
/* Takes one datagram that crossed the mesh to its home. */
void ingress_take_crossed(struct worker *worker, const struct net_message *message, uint32_t port);
/* Takes one forward for which this shard is the owner. */
void ingress_take_forward(struct worker *worker, const struct mesh_forward *forward);
/* Computed columns and conditions of the burst. What overflows counts at the home, once. */
void ingress_compute(struct worker *worker);
/* Applies what the burst has gathered, and records it. */
void ingress_finish(struct worker *worker);
