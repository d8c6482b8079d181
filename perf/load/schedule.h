/* When each thing is due: an open loop's timetable, a constant rate with an optional square wave.
 *
 * What is measured starts at the due time, not at the time of sending, so that a slow server cannot
 * hide its own delays (no coordinated omission). */
#pragma once

#include <stdint.h>

struct schedule {
    /* Constant after init. */
    double rate;      /* Per second, outside the wave's crests; > 0. */
    double factor;    /* The rate is multiplied by it during a crest; 1: no wave. */
    double start_ns;  /* First crest. */
    double length_ns; /* Of a crest. */
    double period_ns; /* From crest to crest; 0: one crest only. */
    /* State. */
    double at_ns; /* When the next one is due, from the schedule's beginning. */
};

void schedule_init(struct schedule *schedule, double rate);

/* Reads a wave: FACTORx:LENGTH[/PERIOD][@START], lengths as 500us, 100ms, 5s, 2m. Returns 0, or -1
 * when text is no wave. */
int schedule_wave_parse(struct schedule *schedule, const char *text);

/* The next one is due after `count` more of them. count >= 0, not necessarily whole. */
void schedule_advance(struct schedule *schedule, double count);

/* Reads a length of time with its unit (us, ms, s, m, h; none means s). Returns the number of
 * characters read, or 0. */
uint32_t schedule_length_parse(const char *text, double *out_ns);
