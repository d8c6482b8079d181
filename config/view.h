/* `views:` to views of the plan: who they are about, their windows (view.c) and their aggregates
 * (view_aggregate.c). Private to config/. */
#pragma once

#include <stdint.h>

#include "config/loader.h"

/* One view on its way. */
struct view_reader {
    struct loader *loader;
    struct config *config;
    const struct node *map;
    const struct node *const *value; /* By keyword. */
    struct plan_view *view;
    uint32_t index;              /* Of the view in the plan. */
    const struct schema *schema; /* NULL: the source is unknown, fields are not checked. */
    uint64_t fields_broken;
    /* Read again for a further source: the schema of the first, whose types count. NULL: it is the
     * first. */
    const struct schema *first;
};

/* `source`: the view's streams; the first one's schema becomes the reader's. */
void view_source_read(struct view_reader *reader, const struct node *source);
/* Key, `where` and aggregates in the view's further streams; the first was read without errors. */
void view_others_read(struct view_reader *reader);
/* Whether a field has the type that it has in the view's first stream; false after reporting. */
bool view_field_same(struct view_reader *reader, const struct node *scalar, uint32_t character,
                     uint32_t field);

/* `key`, or the field that `entity` names. */
void view_key_read(struct view_reader *reader);

/* Field of the source by name, or -1 after reporting it at character of scalar. */
int view_field_find(struct view_reader *reader, const struct node *scalar, uint32_t character,
                    const char *name);

/* The list of `windows:`; the ladder is read already. */
void view_windows_read(struct view_reader *reader, const struct node *list);

/* The map of `aggregates:`; windows are read already, for the names of features. */
void view_aggregates_read(struct view_reader *reader, const struct node *map);
