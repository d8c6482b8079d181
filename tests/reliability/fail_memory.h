/* Memory that is refused: the n-th call of an allocator of the product's, or all from the n-th on.
 * Programs that use it are linked with -Wl,--wrap for each of them (fail_memory_wrapped in
 * meson.build). What the simulated disk keeps its files in is given always: it is the test's. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The n-th call from now on fails (1: the next one), and with onward all that follow it, until
 * fail_memory_give(). Any thread's calls count. */
void fail_memory_refuse(uint64_t n, bool onward);
void fail_memory_give(void);
/* For what else gives memory and a program wraps itself: counts a call, true when it must fail. */
bool fail_memory_is_refused(void);
/* Calls so far; those that were refused. */
uint64_t fail_memory_calls(void);
uint64_t fail_memory_refused(void);
