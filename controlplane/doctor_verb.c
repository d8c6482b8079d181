/* freshet doctor: looks at the machine, at what definitions need, and at the server. */
#include <stdio.h>
#include <stdlib.h>

#include "controlplane/client.h"
#include "controlplane/definitions.h"
#include "controlplane/doctor.h"
#include "controlplane/verb.h"
#include "dataplane/base/units.h"
#include "drivers/memory.h"

static bool server_check(struct doctor *doctor, const char *server)
{
    char error[CLIENT_ERROR_SIZE_MAX];
    struct client client;
    bool runs = client_try(&client, "doctor", server, error);
    if (runs) {
        doctor_add(doctor, DOCTOR_LEVEL_OK, "server", "", "answers at %s", client.server);
    } else {
        doctor_add(doctor, DOCTOR_LEVEL_WARN, "server", "freshet run FILE...", "%s", error);
    }
    client_close(&client);
    return runs;
}

static int doctor_print(const struct doctor *doctor, bool json)
{
    struct buffer text;
    buffer_init(&text, 0);
    if (json) {
        doctor_render_json(doctor, &text);
    } else {
        doctor_render(doctor, &text);
    }
    (void)fwrite(text.data, 1, text.size, stdout);
    buffer_deinit(&text);
    return doctor_worst(doctor) == DOCTOR_LEVEL_FAIL ? VERB_EXIT_FINDINGS : VERB_EXIT_OK;
}

int doctor_verb(int argc, char **argv)
{
    const char *server = NULL;
    bool json = false;
    const struct verb_option option[] = {
        {"server", "PATH|HOST:PORT", VERB_OPTION_TEXT, &server, CLIENT_SERVER_SENTENCE},
        {"json", NULL, VERB_OPTION_FLAG, &json, "the findings as JSON"},
    };
    const struct verb_usage usage = {
        "doctor",
        "[FILE...]",
        "Says what this machine should change to run fast, each finding with the command that "
        "does\n"
        "it; with definition files also whether it has what they need. Exit code 3: a FAIL.\n",
        option,
        ARRAY_COUNT(option),
        0,
        VERB_ARGUMENTS_MAX};
    int exit_code = VERB_EXIT_OK;
    struct config *config = NULL;
    if (!verb_parse(&usage, &argc, argv, &exit_code)) {
        return exit_code;
    }
    if (argc > 1) {
        exit_code = definitions_load(argv + 1, (uint32_t)argc - 1, json, &config);
        if (exit_code != VERB_EXIT_OK) {
            return exit_code;
        }
    }
    struct doctor *doctor = heap_alloc(sizeof(*doctor));
    if (doctor == NULL) {
        (void)fprintf(stderr, "freshet doctor: no memory\n");
        definitions_free(config);
        return VERB_EXIT_FAILED;
    }
    doctor->root = "";
    doctor->config = config;
    doctor->count = 0;
    doctor_check_machine(doctor);
    bool runs = server_check(doctor, server);
    if (config != NULL) {
        doctor_check_needs(doctor, runs);
        doctor_check_data(doctor);
    }
    exit_code = doctor_print(doctor, json);
    heap_free(doctor);
    definitions_free(config);
    return exit_code;
}
