/* One load: definition files on their way to options and plan. Private to config/. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "config/keywords.h"
#include "config/node.h"

struct loader {
    struct config *config;
    struct node_tree tree;
    struct config_texts *keep;            /* Where the texts go that are read; NULL: nowhere. */
    const struct config_running *running; /* What runs already; NULL: nothing does. */
    struct node *top[KEYWORD_COUNT];      /* Merged maps of the top-level keys; NULL: in no file. */

    uint8_t policy[RULE_COUNT]; /* enum violation_policy, of the stream that is being read. */

    /* Where things were defined, for errors that show both places, by index in the plan. */
    const struct node *stream_node[STREAMS_MAX];
    const struct node *stream_id_node[STREAMS_MAX];
    const struct node *stream_shard_by_node[STREAMS_MAX];
    const struct node *view_node[VIEWS_MAX];
    const struct node *view_key_node[VIEWS_MAX];
    /* Bit f: field f's definition is wrong, so nothing that needs its type is checked. */
    uint64_t stream_fields_broken[STREAMS_MAX];
    bool view_broken[VIEWS_MAX]; /* Something in it is wrong: it may lack features. */
    const struct node *service_node[SERVICES_MAX];
    bool view_usable[VIEWS_MAX]; /* Its key is known, so other views compare with it. */
};

/* Each reads its part of the merged maps into config; errors are collected. In this order: later
 * ones look up what earlier ones defined. */
void stream_read_all(struct loader *loader);
void view_read_all(struct loader *loader);
void service_read_all(struct loader *loader);
void options_read(struct loader *loader);

/* `auth` and `allow` of one entry of `ingest`. reachable: other machines can send to it. */
void ingest_auth_read(struct config *config, const struct node *map,
                      const struct keyword_values *values, bool reachable,
                      struct config_ingest *ingest);

/* Rules between views and streams, and what only they decide together (`shard_by`). */
void across_check(struct loader *loader);
/* plan_finish() and what only the compiled plan shows; when nothing is wrong so far. */
void across_finish(struct loader *loader);

/* Beside definitions that run: lays the merged maps out as those are, and refuses what only a start
 * may change. first names the load in errors. Before anything is read; text_read: of the loader. */
void beside_arrange(struct loader *loader, const char *first,
                    void (*text_read)(struct loader *loader, const char *name, const char *text,
                                      uint64_t size));
/* Then, of the compiled plan: views that run mean what they meant, and objectives stay theirs. */
void beside_check(struct loader *loader, const char *first);

/* One field of a stream, the map under its name, as the next field of schema. Returns false when
 * its type is not to be relied on. */
struct schema;
bool field_read(struct loader *loader, const struct node *map, struct plan_stream *stream);

/* One field of a service's request. The same way. */
struct schema_field;
struct enum_texts;
bool field_read_request(struct config *config, const struct node *map, struct schema_field *field,
                        struct enum_texts *texts);

void options_set_defaults(struct config_options *options);

/* `data:`; shards are read before. */
void options_data_set_defaults(struct config_options *options);
void options_data_read(struct config *config, const struct node *map);
