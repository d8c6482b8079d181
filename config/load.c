/* Files to merged maps, and the order in which they are read. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config/config.h"
#include "config/errors.h"
#include "config/keywords.h"
#include "config/loader.h"

#define FOLDER_FILES_MAX 256

static void loader_init(struct loader *loader, struct config *config)
{
    memset(loader, 0, sizeof(*loader));
    loader->config = config;
    node_tree_init(&loader->tree);
    /* Streams and views are cleared when they are added: the whole struct is many MiB. */
    options_set_defaults(&config->options);
    config->error_count = 0;
    config->pattern_try = NULL;
    config->tell = NULL;
    config->texts = NULL;
    config->path = NULL;
    config->path_count = 0;
    config->plan.fingerprint = 0;
    config->plan.stream_count = 0;
    config->plan.view_count = 0;
    config->plan.feature_count = 0;
    config->plan.service_count = 0;
    config->plan.objective_count = 0;
}

static void no_memory(struct loader *loader, const char *file)
{
    error_in_file(loader->config, file, 0, 0, "the machine gave no memory for it");
}

/* Adds the entries of one file's top-level maps to the merged ones. */
static void document_merge(struct loader *loader, const struct node *root)
{
    struct config *config = loader->config;
    struct keyword_values values;
    keyword_read_map(config, root, PLACE_top, &values);
    for (uint32_t i = 0; i < KEYWORD_COUNT; i++) {
        const struct node *map = values.value[i];
        if (map == NULL || map->kind == NODE_BROKEN) {
            continue;
        }
        if (map->kind != NODE_MAP) {
            error_at(config, map, "`%s` is a map", map->key->text);
            continue;
        }
        if (loader->top[i] == NULL) {
            loader->top[i] = node_map_create(&loader->tree, map);
            if (loader->top[i] == NULL) {
                no_memory(loader, map->file);
                return;
            }
            loader->top[i]->key = map->key;
        }
        for (struct node *entry = map->first; entry != NULL;) {
            struct node *next = entry->next;
            node_map_append(config, loader->top[i], entry);
            entry = next;
        }
    }
}

bool config_texts_add(struct config_texts *texts, const char *name, const char *text, uint64_t size)
{
    if (texts->count == texts->capacity) {
        uint32_t capacity = texts->capacity == 0 ? 8 : texts->capacity * 2;
        struct config_text *grown = realloc(texts->text, capacity * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        texts->text = grown;
        texts->capacity = capacity;
    }
    struct config_text kept = {.name = strdup(name), .text = malloc(size + 1), .size = size};
    if (kept.name == NULL || kept.text == NULL) {
        free(kept.name);
        free(kept.text);
        return false;
    }
    memcpy(kept.text, text, size);
    texts->text[texts->count++] = kept;
    return true;
}

static void text_keep(struct loader *loader, const char *name, const char *text, uint64_t size)
{
    if (!config_texts_add(loader->keep, name, text, size)) {
        no_memory(loader, name);
    }
}

void config_texts_free(struct config_texts *texts)
{
    for (uint32_t i = 0; i < texts->count; i++) {
        free(texts->text[i].name);
        free(texts->text[i].text);
    }
    free(texts->text);
    *texts = (struct config_texts){0};
}

static void text_read(struct loader *loader, const char *name, const char *text, uint64_t size)
{
    char *file = node_text_copy(&loader->tree, name, strlen(name));
    if (file == NULL) {
        no_memory(loader, name);
        return;
    }
    const struct node *root = node_parse(&loader->tree, loader->config, file, text, size);
    bool empty = root != NULL && root->kind == NODE_SCALAR && root->size == 0;
    if (root != NULL && !empty) {
        document_merge(loader, root);
    }
}

static void file_read(struct loader *loader, const char *path)
{
    struct config *config = loader->config;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        error_in_file(config, path, 0, 0, "cannot be opened: %s", strerror(errno));
        return;
    }
    char *text = malloc(NODE_TEXT_SIZE_MAX + 1);
    if (text == NULL) {
        no_memory(loader, path);
        goto close;
    }
    size_t size = fread(text, 1, NODE_TEXT_SIZE_MAX + 1, file);
    if (ferror(file) != 0) {
        error_in_file(config, path, 0, 0, "cannot be read: %s", strerror(errno));
    } else {
        if (loader->keep != NULL) {
            text_keep(loader, path, text, size);
        }
        text_read(loader, path, text, size);
    }
    free(text);
close:
    (void)fclose(file);
}

static int name_compare(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static bool is_definition_name(const char *name)
{
    size_t size = strlen(name);
    return name[0] != '.' && size > 5 && strcmp(name + size - 5, ".yaml") == 0;
}

static void folder_read(struct loader *loader, const char *path)
{
    struct config *config = loader->config;
    char *names[FOLDER_FILES_MAX];
    uint32_t count = 0;
    DIR *folder = opendir(path);
    if (folder == NULL) {
        error_in_file(config, path, 0, 0, "cannot be opened: %s", strerror(errno));
        return;
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (!is_definition_name(entry->d_name)) {
            continue;
        }
        char file[CONFIG_PATH_SIZE_MAX];
        int size = snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        if (count == FOLDER_FILES_MAX || size < 0 || (size_t)size >= sizeof(file)) {
            error_in_file(config, path, 0, 0,
                          "a folder with more than %d *.yaml files or a path of "
                          "more than %d bytes; fewer or shorter are allowed",
                          FOLDER_FILES_MAX, CONFIG_PATH_SIZE_MAX - 1);
            break;
        }
        names[count] = node_text_copy(&loader->tree, file, (uint64_t)size);
        if (names[count] == NULL) {
            no_memory(loader, path);
            break;
        }
        count++;
    }
    (void)closedir(folder);
    if (count == 0) {
        error_in_file(config, path, 0, 0, "a folder without a *.yaml file");
    }
    qsort(names, count, sizeof(names[0]), name_compare);
    for (uint32_t i = 0; i < count; i++) {
        file_read(loader, names[i]);
    }
}

/* Each pattern was tried where it stands; all of a stream together may still be too much. */
static void patterns_try(struct config *config, const char *first)
{
    char why[CONFIG_PATTERN_ERROR_MAX];
    for (uint32_t i = 0; config->pattern_try != NULL && i < config->plan.stream_count; i++) {
        const struct plan_stream *stream = &config->plan.stream[i];
        if (stream->patterns.count > 1 &&
            !config->pattern_try(&stream->patterns, 0, stream->patterns.count, why)) {
            error_in_file(config, first, 0, 0, "the %u patterns of stream `%s` together: %s",
                          stream->patterns.count, stream->schema.name, why);
        }
    }
}

/* Reads the merged maps; compiles when nothing is wrong. first names the load in an error that has
 * no other place. */
static enum result loader_finish(struct loader *loader, const char *first)
{
    struct config *config = loader->config;
    const struct node *streams = loader->top[KEYWORD_top_streams];
    if (config->error_count == 0 && (streams == NULL || streams->size == 0)) {
        error_in_file(config, first, 0, 0,
                      "defines no stream; `streams:` with at least one is "
                      "needed");
    }
    if (loader->running != NULL) {
        beside_arrange(loader, first, text_read);
    }
    stream_read_all(loader);
    view_read_all(loader);
    service_read_all(loader);
    options_read(loader);
    across_check(loader);
    if (config->error_count == 0) {
        across_finish(loader);
        patterns_try(config, first);
    }
    if (config->error_count == 0 && loader->running != NULL) {
        beside_check(loader, first);
    }
    error_sort(config);
    node_tree_deinit(&loader->tree);
    return config->error_count == 0 ? RESULT_OK : RESULT_INVALID;
}

enum result config_load(const char *const *paths, uint32_t path_count, struct config *out_config)
{
    return config_load_trying(paths, path_count, NULL, out_config);
}

enum result config_load_trying(const char *const *paths, uint32_t path_count,
                               config_pattern_try *pattern_try, struct config *out_config)
{
    return config_load_telling(paths, path_count, pattern_try, NULL, NULL, out_config);
}

/* Reads the files, then what they say. */
static enum result paths_load(struct loader *loader, const char *const *paths, uint32_t path_count)
{
    for (uint32_t i = 0; i < path_count; i++) {
        struct stat status;
        if (strlen(paths[i]) >= CONFIG_PATH_SIZE_MAX) {
            error_in_file(loader->config, paths[i], 0, 0, "a path of more than %d bytes",
                          CONFIG_PATH_SIZE_MAX - 1);
        } else if (stat(paths[i], &status) == 0 && S_ISDIR(status.st_mode)) {
            folder_read(loader, paths[i]);
        } else {
            file_read(loader, paths[i]);
        }
    }
    return loader_finish(loader, path_count > 0 ? paths[0] : "(no file)");
}

enum result config_load_telling(const char *const *paths, uint32_t path_count,
                                config_pattern_try *pattern_try, config_expression_tell *tell,
                                void *tell_context, struct config *out_config)
{
    struct loader loader;
    loader_init(&loader, out_config);
    out_config->pattern_try = pattern_try;
    out_config->tell = tell;
    out_config->tell_context = tell_context;
    return paths_load(&loader, paths, path_count);
}

enum result config_load_keeping(const char *const *paths, uint32_t path_count,
                                config_pattern_try *pattern_try, struct config_texts *out_texts,
                                struct config *out_config)
{
    return config_load_beside(NULL, paths, path_count, pattern_try, out_texts, out_config);
}

enum result config_load_texts(const struct config_texts *texts, config_pattern_try *pattern_try,
                              struct config *out_config)
{
    struct loader loader;
    loader_init(&loader, out_config);
    out_config->pattern_try = pattern_try;
    for (uint32_t i = 0; i < texts->count; i++) {
        text_read(&loader, texts->text[i].name, texts->text[i].text, texts->text[i].size);
    }
    out_config->texts = texts;
    return loader_finish(&loader, texts->count > 0 ? texts->text[0].name : "(no file)");
}

enum result config_load_beside(const struct config_running *running, const char *const *paths,
                               uint32_t path_count, config_pattern_try *pattern_try,
                               struct config_texts *out_texts, struct config *out_config)
{
    struct loader loader;
    loader_init(&loader, out_config);
    out_config->pattern_try = pattern_try;
    *out_texts = (struct config_texts){0};
    loader.keep = out_texts;
    loader.running = running;
    return paths_load(&loader, paths, path_count);
}

enum result config_load_text(const char *name, const char *text, uint64_t size,
                             struct config *out_config)
{
    struct loader loader;
    loader_init(&loader, out_config);
    text_read(&loader, name, text, size);
    return loader_finish(&loader, name);
}
