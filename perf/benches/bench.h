/* google-benchmark for C: functions to register, counters to set. The shim behind it is the only
 * C++ of the tree.
 *
 * A benchmark here runs once and measures itself: what counts is in its counters. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

struct bench_run; /* One run of one benchmark. */

typedef void bench_function(struct bench_run *run, const void *context);

/* name appears as it is in the JSON. context is borrowed until bench_main() returns. */
void bench_register(const char *name, bench_function *function, const void *context);
/* A member of the benchmark in the JSON. */
void bench_set(struct bench_run *run, const char *counter, double value);
/* Ends the benchmark as failed; why appears in the JSON. */
void bench_fail(struct bench_run *run, const char *why);
/* A member of `context` in the JSON. */
void bench_note(const char *name, const char *value);
/* Runs what was registered, in order; arguments as google-benchmark has them. Returns an exit
 * code: 1 when a benchmark failed or none ran. */
int bench_main(int argc, char **argv);

#ifdef __cplusplus
}
#endif
