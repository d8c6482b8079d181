/* Definition files for the verbs that need them: loads them, and says what is wrong with them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

/* Loads paths into a new config (definitions_free() it). Returns VERB_EXIT_OK; or
 * VERB_EXIT_CONFIG when files are invalid, or VERB_EXIT_FAILED without memory, with every error
 * printed: file:line:column: text to stderr, or {"errors": [...]} to stdout with json. */
int definitions_load(char *const *paths, uint32_t path_count, bool json,
                     struct config **out_config);
/* The same; tell is told the expressions (config.h). */
int definitions_load_telling(char *const *paths, uint32_t path_count, bool json,
                             config_expression_tell *tell, void *tell_context,
                             struct config **out_config);
/* The same; what was read is kept in out_texts, and the config knows it and paths, both
 * borrowed. */
int definitions_load_keeping(char *const *paths, uint32_t path_count, bool json,
                             struct config_texts *out_texts, struct config **out_config);
void definitions_free(struct config *config); /* NULL is fine. */
