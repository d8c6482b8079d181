#include "config/node.h"

#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

#include "config/errors.h"
#include "dataplane/base/units.h"

#define NODE_BLOCK_BYTES (64 * KIB)

struct node_block {
    struct node_block *next;
    uint64_t size;
    uint64_t used;
    _Alignas(16) uint8_t data[];
};

void node_tree_init(struct node_tree *tree)
{
    *tree = (struct node_tree){0};
}

void node_tree_deinit(struct node_tree *tree)
{
    while (tree->block != NULL) {
        struct node_block *next = tree->block->next;
        /* It may be a tree of keys. */
        explicit_bzero(tree->block->data, tree->block->used);
        free(tree->block);
        tree->block = next;
    }
}

static void *tree_take(struct node_tree *tree, uint64_t bytes)
{
    bytes = align_up(bytes, 16);
    if (tree->block == NULL || bytes > tree->block->size - tree->block->used) {
        uint64_t size = bytes > NODE_BLOCK_BYTES ? bytes : NODE_BLOCK_BYTES;
        struct node_block *block = calloc(1, sizeof(*block) + size);
        if (block == NULL) {
            return NULL;
        }
        block->next = tree->block;
        block->size = size;
        tree->block = block;
    }
    void *out = tree->block->data + tree->block->used;
    tree->block->used += bytes;
    return out;
}

char *node_text_copy(struct node_tree *tree, const char *text, uint64_t size)
{
    char *copy = tree_take(tree, size + 1);
    if (copy != NULL && size > 0) {
        memcpy(copy, text, size);
    }
    return copy;
}

struct node *node_map_create(struct node_tree *tree, const struct node *at)
{
    struct node *map = tree_take(tree, sizeof(*map));
    if (map != NULL) {
        *map = (struct node){
            .kind = NODE_MAP, .file = at->file, .line = at->line, .column = at->column};
    }
    return map;
}

const struct node *node_map_find(const struct node *map, const char *key)
{
    for (const struct node *entry = map->first; entry != NULL; entry = entry->next) {
        if (strcmp(entry->key->text, key) == 0) {
            return entry;
        }
    }
    return NULL;
}

static void node_append(struct node *parent, struct node *entry)
{
    entry->next = NULL;
    if (parent->last == NULL) {
        parent->first = entry;
    } else {
        parent->last->next = entry;
    }
    parent->last = entry;
    parent->size++;
}

void node_map_append(struct config *config, struct node *map, struct node *value)
{
    const struct node *there = node_map_find(map, value->key->text);
    if (there != NULL) {
        error_at(config, value->key, "`%s` is defined twice, first at %s:%u:%u; keep one",
                 value->key->text, there->key->file, there->key->line, there->key->column);
    } else if (map->size < NODE_ENTRIES_MAX) {
        node_append(map, value);
    } else if (map->size == NODE_ENTRIES_MAX) {
        error_at(config, value->key, "too many entries: at most %d are allowed", NODE_ENTRIES_MAX);
        map->size++; /* Once is enough. */
    }
}

/* One text on its way to a tree. */
struct node_parser {
    struct node_tree *tree;
    struct config *config;
    const char *file;
    const char *text; /* Borrowed: what the library reads. */
    uint64_t size;
    struct node *root;
    uint32_t depth;
    struct node *open[NODE_DEPTH_MAX];
    struct node *pending_key[NODE_DEPTH_MAX]; /* Of open maps: waits for its value. */
    uint32_t document_count;
    bool stopped; /* The rest cannot be read. */
};

static uint32_t utf8_size(const uint8_t *data, uint64_t left)
{
    uint8_t lead = data[0];
    uint32_t size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (size == 0 || lead > 0xf4 || size > left) {
        return 0;
    }
    for (uint32_t i = 1; i < size; i++) {
        if ((data[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (lead == 0xe0 && data[1] < 0xa0) || (lead == 0xf0 && data[1] < 0x90);
    bool beyond = (lead == 0xed && data[1] >= 0xa0) || (lead == 0xf4 && data[1] >= 0x90);
    return overlong || beyond ? 0 : size;
}

/* Only printable UTF-8 goes on to the parser, so that every place in a message can be shown. */
static bool text_check(struct config *config, const char *file, const char *text, uint64_t size)
{
    const uint8_t *data = (const uint8_t *)text;
    uint32_t line = 1;
    uint32_t column = 1;
    for (uint64_t at = 0; at < size;) {
        uint32_t step = utf8_size(data + at, size - at);
        if (step == 0) {
            error_in_file(config, file, line, column,
                          "byte 0x%02x is not UTF-8; save the file as "
                          "UTF-8",
                          data[at]);
            return false;
        }
        bool control = data[at] < 0x20 && data[at] != '\n' && data[at] != '\t' && data[at] != '\r';
        if (control || data[at] == 0x7f) {
            error_in_file(config, file, line, column,
                          "control character 0x%02x; only text, line "
                          "ends and tabs are allowed",
                          data[at]);
            return false;
        }
        column = data[at] == '\n' ? 1 : column + 1;
        line += data[at] == '\n';
        at += step;
    }
    return true;
}

static struct node *parser_node(struct node_parser *parser, struct fy_event *event,
                                enum node_kind kind)
{
    if (parser->tree->node_count == NODE_COUNT_MAX) {
        error_in_file(parser->config, parser->file, 0, 0,
                      "too large: at most %d values are allowed", NODE_COUNT_MAX);
        parser->stopped = true;
        return NULL;
    }
    struct node *node = tree_take(parser->tree, sizeof(*node));
    if (node == NULL) {
        error_in_file(parser->config, parser->file, 0, 0, "the machine gave no memory for it");
        parser->stopped = true;
        return NULL;
    }
    parser->tree->node_count++;
    const struct fy_mark *mark = fy_event_start_mark(event);
    *node = (struct node){.kind = kind, .file = parser->file, .line = 1, .column = 1};
    if (mark == NULL && parser->depth > 0) {
        /* Nothing stands there, as behind `key:`: its key, or what it is in, does. */
        const struct node *key = parser->pending_key[parser->depth - 1];
        const struct node *near = key != NULL ? key : parser->open[parser->depth - 1];
        node->line = near->line;
        node->column = near->column;
    } else if (mark != NULL) {
        node->line = (uint32_t)mark->line + 1;
        node->column = (uint32_t)mark->column + 1;
    }
    return node;
}

/* The value of a single-quoted scalar, from its bytes in the file: the library's own decoder loses
 * memory on runs of quotes (libfyaml 0.7.12, fy_token_get_text). NULL without memory. */
static char *single_quoted_copy(struct node_tree *tree, const char *raw, uint64_t raw_size,
                                uint64_t *out_size)
{
    char *copy = node_text_copy(tree, raw, raw_size);
    uint64_t size = 0;
    for (uint64_t at = 0; copy != NULL && at < raw_size; at++) {
        copy[size++] = raw[at];
        at += raw[at] == '\'' && at + 1 < raw_size && raw[at + 1] == '\'';
    }
    if (copy != NULL) {
        copy[size] = '\0';
    }
    *out_size = size;
    return copy;
}

static void parser_scalar(struct node_parser *parser, struct fy_event *event, struct node *node)
{
    struct fy_token *value = event->scalar.value;
    const struct fy_mark *start = fy_event_start_mark(event);
    const struct fy_mark *end = fy_event_end_mark(event);
    enum fy_scalar_style style = value == NULL ? FYSS_PLAIN : fy_token_scalar_style(value);
    bool placed = start != NULL && end != NULL && start->input_pos <= end->input_pos &&
                  end->input_pos <= parser->size;
    uint64_t raw_size = placed ? end->input_pos - start->input_pos : 0;
    uint64_t size = 0;
    if (style == FYSS_SINGLE_QUOTED) {
        const char *raw = parser->text + (placed ? start->input_pos : 0);
        if (memchr(raw, '\n', raw_size) != NULL) {
            error_at(parser->config, node, "a quoted text over several lines; write it in one");
            node->kind = NODE_BROKEN;
            return;
        }
        node->text = single_quoted_copy(parser->tree, raw, raw_size, &size);
    } else {
        const char *text = value == NULL ? NULL : fy_token_get_text(value, &size);
        size = text == NULL ? 0 : size;
        node->text = node_text_copy(parser->tree, text == NULL ? "" : text, size);
    }
    if (node->text == NULL) {
        error_at(parser->config, node, "the machine gave no memory for it");
        node->kind = NODE_BROKEN;
        parser->stopped = true;
        return;
    }
    node->size = (uint32_t)size;
    node->quoted = style != FYSS_PLAIN;
    node->column_exact = placed && raw_size == size;
    if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) {
        node->column -= node->column > 1; /* The library's mark is behind the quote. */
    }
    if (memchr(node->text, '\0', size) != NULL) {
        error_at(parser->config, node, "a NUL in a text; no value may hold one");
        node->kind = NODE_BROKEN;
    }
}

static void parser_attach(struct node_parser *parser, struct node *node)
{
    if (parser->depth == 0) {
        parser->root = node;
        return;
    }
    struct node *parent = parser->open[parser->depth - 1];
    struct node **pending = &parser->pending_key[parser->depth - 1];
    if (parent->kind == NODE_LIST) {
        if (parent->size < NODE_ENTRIES_MAX) {
            node_append(parent, node);
        } else if (parent->size == NODE_ENTRIES_MAX) {
            error_at(parser->config, node, "too many entries: at most %d are allowed",
                     NODE_ENTRIES_MAX);
            parent->size++;
        }
    } else if (*pending == NULL) {
        if (node->kind != NODE_SCALAR) {
            if (node->kind != NODE_BROKEN) {
                error_at(parser->config, node, "a map or list as a key; a key is one word");
            }
            parser->stopped = true;
            return;
        }
        *pending = node;
    } else {
        node->key = *pending;
        *pending = NULL;
        node_map_append(parser->config, parent, node);
    }
}

static void parser_refuse_extras(struct node_parser *parser, const struct node *node,
                                 const struct fy_token *anchor, const struct fy_token *tag)
{
    if (anchor != NULL) {
        error_at(parser->config, node,
                 "anchors (&name) are not taken; write each value where it is "
                 "used");
    }
    if (tag != NULL) {
        error_at(parser->config, node, "tags (!name) are not taken; write the plain value");
    }
}

static void parser_open(struct node_parser *parser, struct fy_event *event, enum node_kind kind)
{
    struct node *node = parser_node(parser, event, kind);
    if (node == NULL) {
        return;
    }
    bool map = kind == NODE_MAP;
    parser_refuse_extras(parser, node,
                         map ? event->mapping_start.anchor : event->sequence_start.anchor,
                         map ? event->mapping_start.tag : event->sequence_start.tag);
    if (parser->depth == NODE_DEPTH_MAX) {
        error_at(parser->config, node, "nested too deeply: at most %d levels are allowed",
                 NODE_DEPTH_MAX);
        parser->stopped = true;
        return;
    }
    parser_attach(parser, node);
    parser->open[parser->depth] = node;
    parser->pending_key[parser->depth] = NULL;
    parser->depth++;
}

static void parser_event(struct node_parser *parser, struct fy_event *event)
{
    struct node *node;
    switch (event->type) {
    case FYET_DOCUMENT_START:
        if (++parser->document_count > 1) {
            const struct fy_mark *mark = fy_event_start_mark(event);
            error_in_file(parser->config, parser->file, mark == NULL ? 1 : (uint32_t)mark->line + 1,
                          mark == NULL ? 1 : (uint32_t)mark->column + 1,
                          "a second document; one file holds one: put the other into its own file");
            parser->stopped = true;
        }
        break;
    case FYET_MAPPING_START:
        parser_open(parser, event, NODE_MAP);
        break;
    case FYET_SEQUENCE_START:
        parser_open(parser, event, NODE_LIST);
        break;
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        parser->depth -= parser->depth > 0;
        break;
    case FYET_SCALAR:
        node = parser_node(parser, event, NODE_SCALAR);
        if (node != NULL) {
            parser_refuse_extras(parser, node, event->scalar.anchor, event->scalar.tag);
            parser_scalar(parser, event, node);
            parser_attach(parser, node);
        }
        break;
    case FYET_ALIAS:
        node = parser_node(parser, event, NODE_BROKEN);
        if (node != NULL) {
            node->column -= node->column > 1; /* The library's mark is behind the star. */
            error_at(parser->config, node, "aliases (*name) are not taken; write the value here");
            parser_attach(parser, node);
        }
        break;
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_STREAM_END:
    case FYET_DOCUMENT_END:
        break;
    }
}

/* The YAML itself is wrong: what the library collected, else one error for the whole file. */
static void parser_syntax_errors(struct node_parser *parser, struct fy_diag *diag)
{
    uint32_t before = parser->config->error_count;
    void *at = NULL;
    struct fy_diag_error *error;
    while ((error = fy_diag_errors_iterate(diag, &at)) != NULL) {
        if (error->type == FYET_ERROR && error->msg != NULL) {
            error_in_file(parser->config, parser->file, error->line > 0 ? (uint32_t)error->line : 1,
                          error->column > 0 ? (uint32_t)error->column : 1, "not YAML: %s",
                          error->msg);
            break; /* What follows the first one is its echo. */
        }
    }
    if (parser->config->error_count == before) {
        error_in_file(parser->config, parser->file, 1, 1, "not YAML");
    }
}

struct node *node_parse(struct node_tree *tree, struct config *config, const char *file,
                        const char *text, uint64_t size)
{
    if (size > NODE_TEXT_SIZE_MAX) {
        error_in_file(config, file, 0, 0, "larger than 4 MiB; at most that is read");
        return NULL;
    }
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3; /* The mark some editors begin UTF-8 files with. */
        size -= 3;
    }
    if (!text_check(config, file, text, size)) {
        return NULL;
    }
    struct node_parser parser = {
        .tree = tree, .config = config, .file = file, .text = text, .size = size};
    struct fy_diag_cfg diag_options;
    fy_diag_cfg_default(&diag_options);
    diag_options.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&diag_options);
    struct fy_parser *yaml = NULL;
    if (diag != NULL) {
        fy_diag_set_collect_errors(diag, true);
        struct fy_parse_cfg options = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG |
                                                FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE,
                                       .diag = diag};
        yaml = fy_parser_create(&options);
    }
    if (yaml == NULL || fy_parser_set_string(yaml, text, size) != 0) {
        error_in_file(config, file, 0, 0, "the YAML parser could not be started");
        fy_parser_destroy(yaml);
        fy_diag_destroy(diag);
        return NULL;
    }
    bool ended = false;
    struct fy_event *event;
    while (!parser.stopped && !ended && (event = fy_parser_parse(yaml)) != NULL) {
        ended = event->type == FYET_STREAM_END;
        parser_event(&parser, event);
        fy_parser_event_free(yaml, event);
    }
    if (!parser.stopped && !ended) {
        parser_syntax_errors(&parser, diag);
        parser.root = NULL; /* Half a tree would only raise false alarms. */
    }
    fy_parser_destroy(yaml);
    fy_diag_destroy(diag);
    return parser.stopped ? NULL : parser.root;
}
