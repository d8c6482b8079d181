/* What the parts of `freshet parity` share: each is a verb of its own behind that word. */
#pragma once

#include "config/config.h"
#include "controlplane/parity_sum.h"

int parity_report_verb(int argc, char **argv);
int parity_explain_verb(int argc, char **argv);

/* What both work on: definitions, the data directory, its served answers. */
struct parity_source {
    struct config *config;
    const char *directory; /* --data, else that of the definitions. */
    struct served_reader *reader;
    struct parity *parity;
    char error[PARITY_ERROR_SIZE_MAX]; /* Of a run that failed. */
};

/* Opens all; verb is for errors. Returns an exit code; on failure everything is said, and closed.
 */
int parity_source_open(struct parity_source *source, const char *verb, char *const *files,
                       uint32_t file_count, const char *data, bool json);
void parity_source_close(struct parity_source *source);
/* Prints "freshet <verb>: <directory>: <why>" and returns VERB_EXIT_FAILED. */
int parity_failed(const struct parity_source *source, const char *verb, enum result result);
