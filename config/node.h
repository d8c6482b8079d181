/* A YAML text as a tree in which every node knows its place: what the readers of the definition
 * language walk.
 *
 * Only what definitions need is taken: one document, maps with plain keys, lists, scalars. Anchors,
 * aliases and tags are errors, so no text is larger than it looks; depth, entries and bytes are
 * bounded. A key that stands twice in a map is an error that shows both places. Source: YAML 1.2.2,
 * events of libfyaml. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

#define NODE_TEXT_SIZE_MAX (UINT64_C(4) << 20) /* Bytes of one file. */
#define NODE_DEPTH_MAX     12
#define NODE_ENTRIES_MAX   2048   /* Of one map or list. */
#define NODE_COUNT_MAX     262144 /* Of one load. */

/* BROKEN stands for what was already reported: readers pass over it in silence. */
enum node_kind { NODE_BROKEN, NODE_SCALAR, NODE_MAP, NODE_LIST };

struct node {
    enum node_kind kind;
    bool quoted;        /* SCALAR */
    bool column_exact;  /* SCALAR: text stands in one line as it is written. */
    uint32_t line;      /* From 1. */
    uint32_t column;    /* From 1. */
    uint32_t size;      /* SCALAR: bytes of text. MAP, LIST: entries. */
    const char *file;   /* Name of the file; lives as long as the tree. */
    const char *text;   /* SCALAR: value with a NUL behind it; may hold none inside. */
    struct node *key;   /* This node is a value of a map: its key, a SCALAR. */
    struct node *first; /* MAP, LIST: first entry. */
    struct node *last;
    struct node *next; /* Entry after this one. */
};

struct node_block;

/* Owner of all nodes and texts of one load. */
struct node_tree {
    struct node_block *block; /* Newest first. */
    uint32_t node_count;
};

void node_tree_init(struct node_tree *tree);
void node_tree_deinit(struct node_tree *tree);

/* Copies text (size bytes, then a NUL) into the tree; NULL when the machine gave no memory. */
char *node_text_copy(struct node_tree *tree, const char *text, uint64_t size);

/* Parses text. Errors go to config. Returns the root; NULL when the text holds no document (that is
 * no error) or could not be read (that is one). file is borrowed as long as the tree. */
struct node *node_parse(struct node_tree *tree, struct config *config, const char *file,
                        const char *text, uint64_t size);

/* An empty map at the place of node; NULL without memory. */
struct node *node_map_create(struct node_tree *tree, const struct node *at);

/* Moves value with its key to the end of map. When the key is there already, reports it at the new
 * place with the old one, and leaves value out. */
void node_map_append(struct config *config, struct node *map, struct node *value);

/* Value of a key, or NULL. */
const struct node *node_map_find(const struct node *map, const char *key);

static inline uint32_t node_column_of(const struct node *scalar, uint32_t character)
{
    return scalar->column + (scalar->column_exact ? character + scalar->quoted : 0);
}
