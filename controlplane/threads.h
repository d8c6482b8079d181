/* Threads that do the tasks of a call together, call after call: they are not made anew for each,
 * and between calls they sleep, where each has a core of its own after a while. The caller is one
 * of them. */
#pragma once

#include <stdint.h>

#include "dataplane/base/result.h"

struct threads;

#define THREADS_MAX 64u

/* member: below threads_count(), one at a time each, for what a thread has of its own. */
typedef void threads_task(void *context, uint32_t task, uint32_t member);

/* members: with the caller, at least 1. One that the machine refuses a thread leaves its tasks to
 * the others. RESULT_NO_MEMORY. */
MUST_USE enum result threads_open(uint32_t members, struct threads **out_threads);
void threads_close(struct threads *threads);           /* NULL is fine. */
uint32_t threads_count(const struct threads *threads); /* NULL: 1, the caller. */
/* Does tasks [0, count), each once, in any order, and returns when all are done: what they wrote is
 * the caller's then. One caller at a time. NULL: the caller does them alone, in their order. */
void threads_run(struct threads *threads, uint32_t count, threads_task *task, void *context);
