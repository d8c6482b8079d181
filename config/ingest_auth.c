/* Who may send to a listener: producers with keys, or senders of written prefixes. */
#include <stdio.h>
#include <string.h>

#include "config/errors.h"
#include "config/loader.h"
#include "config/prefix_text.h"
#include "config/scalar.h"

static const char ways_in[] = "`auth: keys.yaml` (see `freshet keys`), or `auth: none` with "
                              "`allow: [PREFIX...]`";

/* A relative path starts at the folder of the file that it is written in. */
static void auth_path_read(struct config *config, const struct node *auth,
                           struct config_ingest *ingest)
{
    const char *slash = auth->text[0] == '/' ? NULL : strrchr(auth->file, '/');
    int folder_size = slash == NULL ? 0 : (int)(slash + 1 - auth->file);
    int size = snprintf(ingest->auth_path, sizeof(ingest->auth_path), "%.*s%s", folder_size,
                        auth->file, auth->text);
    if (size < 0 || (size_t)size >= sizeof(ingest->auth_path)) {
        ingest->auth_path[0] = '\0';
        error_at(config, auth, "`auth` with its folder has %d bytes; at most %d are allowed", size,
                 CONFIG_PATH_SIZE_MAX - 1);
    }
}

static void auth_read(struct config *config, const struct node *auth, struct config_ingest *ingest)
{
    char text[CONFIG_PATH_SIZE_MAX];
    if (!scalar_read_text(config, auth, "`auth`", sizeof(text), text)) {
        return;
    }
    ingest->auth_none = strcmp(text, "none") == 0;
    if (!ingest->auth_none) {
        auth_path_read(config, auth, ingest);
    }
}

static void allow_read(struct config *config, const struct node *list, struct config_ingest *ingest)
{
    if (list->kind == NODE_BROKEN) {
        return;
    }
    if (list->kind != NODE_LIST || list->size == 0 || list->size > CONFIG_ALLOW_MAX) {
        error_at(config, list, "`allow` is a list of 1 to %d prefixes, as [192.0.2.0/24]",
                 CONFIG_ALLOW_MAX);
        return;
    }
    for (const struct node *item = list->first; item != NULL; item = item->next) {
        if (prefix_scalar_read(config, item, "`allow`", &ingest->allow[ingest->allow_count])) {
            ingest->allow_count++;
        }
    }
}

void ingest_auth_read(struct config *config, const struct node *map,
                      const struct keyword_values *values, bool reachable,
                      struct config_ingest *ingest)
{
    const struct node *auth = values->value[KEYWORD_ingest_auth];
    const struct node *allow = values->value[KEYWORD_ingest_allow];
    const struct node *stream = values->value[KEYWORD_ingest_stream];
    if (auth != NULL) {
        auth_read(config, auth, ingest);
    } else if (reachable) {
        const struct node *listen = values->value[KEYWORD_ingest_listen];
        error_at(config, listen == NULL ? map : listen,
                 "other machines can send to this listener: it needs %s%s", ways_in,
                 listen == NULL ? "" : "; or listen on 127.0.0.1 or [::1]");
    }
    if (allow != NULL) {
        allow_read(config, allow, ingest);
    }
    if (allow != NULL && !ingest->auth_none) {
        error_at(config, allow->key, "`allow` belongs to `auth: none`; a key file has `from`");
    } else if (allow == NULL && ingest->auth_none) {
        error_at(config, auth, "`auth: none` needs `allow: [PREFIX...]`, as [192.0.2.0/24]");
    }
    if (stream != NULL && ingest->auth_path[0] != '\0') {
        error_at(config, stream->key,
                 "`stream` is for text, which carries no tag: a listener with "
                 "`auth` takes none");
    }
}
