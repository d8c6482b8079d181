#include "controlplane/doctor.h"

#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/base/assert.h"

void doctor_add(struct doctor *doctor, enum doctor_level level, const char *check, const char *fix,
                const char *format, ...)
{
    ASSERT(doctor->count < DOCTOR_FINDINGS_MAX);
    struct doctor_finding *finding = &doctor->finding[doctor->count++];
    finding->level = level;
    finding->check = check;
    (void)snprintf(finding->fix, sizeof(finding->fix), "%s", fix);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(finding->found, sizeof(finding->found), format, arguments);
    va_end(arguments);
}

void doctor_read_file(const struct doctor *doctor, const char *name, char *out, size_t size)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s%s", doctor->root, name);
    FILE *file = fopen(path, "re");
    size_t got = 0;
    if (file != NULL) {
        got = fread(out, 1, size - 1, file);
        (void)fclose(file);
    }
    while (got > 0 && out[got - 1] == '\n') {
        got--;
    }
    out[got] = '\0';
}

enum doctor_level doctor_worst(const struct doctor *doctor)
{
    enum doctor_level worst = DOCTOR_LEVEL_OK;
    for (uint32_t i = 0; i < doctor->count; i++) {
        if (doctor->finding[i].level > worst) {
            worst = doctor->finding[i].level;
        }
    }
    return worst;
}

static const char *level_name(enum doctor_level level)
{
    static const char *const name[] = {"OK", "WARN", "FAIL"};
    return name[level];
}

void doctor_render(const struct doctor *doctor, struct buffer *out)
{
    uint32_t count[3] = {0};
    for (uint32_t i = 0; i < doctor->count; i++) {
        const struct doctor_finding *finding = &doctor->finding[i];
        count[finding->level]++;
        buffer_format(out, "%-4s  %-13s %s\n", level_name(finding->level), finding->check,
                      finding->found);
        if (finding->fix[0] != '\0') {
            buffer_format(out, "      %-13s %s\n", "", finding->fix);
        }
    }
    buffer_format(out, "%u ok, %u warnings, %u failures\n", count[DOCTOR_LEVEL_OK],
                  count[DOCTOR_LEVEL_WARN], count[DOCTOR_LEVEL_FAIL]);
}

void doctor_render_json(const struct doctor *doctor, struct buffer *out)
{
    json_t *root = json_array();
    for (uint32_t i = 0; i < doctor->count; i++) {
        const struct doctor_finding *finding = &doctor->finding[i];
        (void)json_array_append_new(
            root, json_pack("{s:s, s:s, s:s, s:s}", "level", level_name(finding->level), "check",
                            finding->check, "found", finding->found, "fix", finding->fix));
    }
    char *text = json_dumps(root, JSON_INDENT(2));
    buffer_text(out, text == NULL ? "[]" : text);
    buffer_text(out, "\n");
    free(text);
    json_decref(root);
}
