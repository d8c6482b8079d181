/* From a datagram to events applied or forwarded: accept, decode, validate, judge, route, apply.
 * Every event that does not get through is counted under one named reason. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct net_message;
struct mesh_forward;
struct worker;

/* Takes one datagram that arrived on a port (default_stream and text_allowed are the port's). Its
 * bytes stay valid until ingress_finish(). */
void ingress_take(struct worker *worker, const struct net_message *message, int default_stream,
                  bool text_allowed);
/* Takes one datagram that crossed the mesh to its home. */
void ingress_take_crossed(struct worker *worker, const struct net_message *message);
/* Takes one forward for which this shard is the owner. */
void ingress_take_forward(struct worker *worker, const struct mesh_forward *forward);
/* Applies what the burst has gathered. */
void ingress_finish(struct worker *worker);
