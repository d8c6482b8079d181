/* What this machine should change to run fast, each finding with the command that does it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "controlplane/buffer.h"

#define DOCTOR_FINDINGS_MAX  64
#define DOCTOR_TEXT_SIZE_MAX 384

enum doctor_level { DOCTOR_LEVEL_OK, DOCTOR_LEVEL_WARN, DOCTOR_LEVEL_FAIL };

struct doctor_finding {
    enum doctor_level level;
    const char *check; /* A literal, stable. */
    char found[DOCTOR_TEXT_SIZE_MAX];
    char fix[DOCTOR_TEXT_SIZE_MAX]; /* A command, or "" with LEVEL_OK. */
};

struct doctor {
    const char *root;            /* Before /proc and /sys: "" on a real machine; tests make one. */
    const struct config *config; /* NULL: only the machine is looked at. */
    uint32_t count;
    struct doctor_finding finding[DOCTOR_FINDINGS_MAX];
};

void doctor_add(struct doctor *doctor, enum doctor_level level, const char *check, const char *fix,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The file below root, NUL-terminated, without the last newline; "" when it is not there. */
void doctor_read_file(const struct doctor *doctor, const char *name, char *out, size_t size);

/* Everything that reading /proc and /sys below root tells. */
void doctor_check_machine(struct doctor *doctor);
/* What the definitions need: memory, NICs, free ports. Needs config. */
void doctor_check_needs(struct doctor *doctor, bool server_runs);

/* What keeping data on disk needs; nothing without a data directory. Needs config. */
void doctor_check_data(struct doctor *doctor);

enum doctor_level doctor_worst(const struct doctor *doctor);
void doctor_render(const struct doctor *doctor, struct buffer *out);
void doctor_render_json(const struct doctor *doctor, struct buffer *out);
