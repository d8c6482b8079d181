/* What one benchmark leaves for a later one of the same run: ratios are made of these. */
#pragma once

#include "perf/benches/workload.h"

struct results {
    double scale;                    /* Of sizes and times; 1, or less for a quick look. */
    double ingest_events_per_second; /* Of `ingest/keys:10000000`; 0: not measured. */
    double peer_events_per_second;   /* Of `redis_ingest`; 0: not measured. */
    struct workload ladder;          /* Rows with a full ladder, of `ingest/newcell`. */
    bool ladder_ready;
};

/* The process has one; the benchmarks run one after another. */
struct results *results_get(void);
/* Seconds by the run's scale, at least a fifth of one. */
double results_seconds(double seconds);
/* A number of keys or events by the run's scale; small ones stay. */
uint64_t results_scaled(uint64_t value);
/* The workload whose rows hold a full ladder, made when nobody made it. NULL: said on stderr. */
struct workload *results_ladder(void);

void ingest_register(void);
void scale_register(void);
void auth_register(void);
void expression_register(void);
void patterns_register(void);
void durable_register(void);
void ack_register(void);
void checkpoint_register(void);
void recovery_register(void);
void memory_register(void);
void check_register(void);
void parquet_register(void);
void train_register(void);
void read_register(void);
void under_register(void);
void canary_register(void);
void served_register(void);
void peer_register(void);
