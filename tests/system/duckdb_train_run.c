/* Runs the peer of training sets: DEFINITIONS SERVICE EVENTS LABELS TIME OUT. Prints the rows. */
#include <inttypes.h>
#include <stdio.h>

#include "perf/duckdb_train.h"

int main(int argc, char **argv)
{
    char error[DUCKDB_TRAIN_ERROR_SIZE_MAX];
    struct duckdb_train_result result;
    if (argc != 7) {
        return 2;
    }
    const struct duckdb_train_options options = {
        .definitions = argv[1],
        .service = argv[2],
        .events = argv[3],
        .labels = argv[4],
        .time = argv[5],
        .out = argv[6],
        .threads = 2,
    };
    if (duckdb_train_run(&options, &result, error) != RESULT_OK) {
        (void)fprintf(stderr, "%s\n", error);
        return 1;
    }
    printf("%" PRIu64 " rows in %.3f s\n", result.rows, result.seconds);
    return 0;
}
