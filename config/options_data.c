/* `data:` to options. */
#include <string.h>

#include "config/errors.h"
#include "config/loader.h"
#include "config/scalar.h"
#include "dataplane/base/units.h"

#define CHECKPOINT_US_MIN   (100 * INT64_C(1000))
#define CHECKPOINT_US_MAX   (3600 * US_PER_SECOND)
#define KEEP_US_MIN         (60 * US_PER_SECOND)
#define KEEP_US_MAX         (3650 * 86400 * US_PER_SECOND)
#define SEGMENT_BYTES_MIN   (1 * MIB)
#define SEGMENT_BYTES_MAX   (1 * GIB)
#define SEGMENT_BYTES_STEP  (4 * KIB) /* A block of the disk. */
#define MIRROR_BYTES_MAX    (1024 * 1024 * GIB)
#define MIRROR_SEGMENTS_MIN 4 /* Per shard: one in use, one sealed, two spare. */

static const char *const ack_names[] = {"none", "durable"};

void options_data_set_defaults(struct config_options *options)
{
    options->data_directory[0] = '\0';
    options->ack = CONFIG_ACK_NONE;
    options->checkpoint_us = 10 * US_PER_SECOND;
    options->mirror_keep_us = 7 * 86400 * US_PER_SECOND;
    options->mirror_bytes = 50 * GIB;
    options->mirror_archive[0] = '\0';
    options->mirror_lake[0] = '\0';
    options->mirror_segment_bytes = 256 * MIB;
}

static void duration_read(struct config *config, const struct node *node, const char *what,
                          int64_t min_us, int64_t max_us, int64_t *out_us)
{
    int64_t us;
    char least[DURATION_TEXT_SIZE_MAX];
    char most[DURATION_TEXT_SIZE_MAX];
    if (!scalar_read_duration(config, node, what, 0, 1, &us)) {
        return;
    }
    if (us < min_us || us > max_us) {
        error_at(config, node, "%s is `%s`; %s to %s is allowed", what, node->text,
                 duration_text(min_us, least), duration_text(max_us, most));
        return;
    }
    *out_us = us;
}

/* Names of folders with / between them; none of them hidden, "." or "..". */
static bool folder_is_below(const char *folder)
{
    bool begins = true;
    for (const char *c = folder; *c != '\0'; c++) {
        if (begins && (*c == '/' || *c == '.')) {
            return false;
        }
        begins = *c == '/';
    }
    return true;
}

static void archive_read(struct config *config, const struct node *archive)
{
    char folder[CONFIG_ARCHIVE_SIZE_MAX];
    if (!scalar_read_text(config, archive, "`archive`", sizeof(folder), folder)) {
        return;
    }
    if (!folder_is_below(folder)) {
        error_at(
            config, archive,
            "`archive` is `%.64s`; a folder below `directory` is allowed, as archive/, because "
            "files move there without being copied",
            folder);
        return;
    }
    size_t size = strlen(folder);
    if (folder[size - 1] == '/') {
        folder[size - 1] = '\0';
    }
    memcpy(config->options.mirror_archive, folder, sizeof(folder));
}

static void segment_read(struct config *config, const struct node *segment)
{
    uint64_t bytes;
    if (!scalar_read_bytes(config, segment, "`segment`", SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX,
                           &bytes)) {
        return;
    }
    if (bytes % SEGMENT_BYTES_STEP != 0) {
        error_at(config, segment, "`segment` is `%s`; whole multiples of 4KiB are allowed",
                 segment->text);
        return;
    }
    config->options.mirror_segment_bytes = bytes;
}

static void mirror_read(struct config *config, const struct node *map)
{
    struct config_options *options = &config->options;
    struct keyword_values values;
    keyword_read_map(config, map, PLACE_mirror, &values);
    const struct node *keep = values.value[KEYWORD_mirror_keep];
    const struct node *bytes = values.value[KEYWORD_mirror_bytes];
    const struct node *archive = values.value[KEYWORD_mirror_archive];
    const struct node *lake = values.value[KEYWORD_mirror_lake];
    const struct node *segment = values.value[KEYWORD_mirror_segment];
    if (keep != NULL) {
        duration_read(config, keep, "`keep`", KEEP_US_MIN, KEEP_US_MAX, &options->mirror_keep_us);
    }
    if (bytes != NULL) {
        (void)scalar_read_bytes(config, bytes, "`bytes`", MIRROR_SEGMENTS_MIN * SEGMENT_BYTES_MIN,
                                MIRROR_BYTES_MAX, &options->mirror_bytes);
    }
    if (archive != NULL) {
        archive_read(config, archive);
    }
    if (lake != NULL) {
        (void)scalar_read_text(config, lake, "`lake`", CONFIG_PATH_SIZE_MAX, options->mirror_lake);
    }
    if (segment != NULL) {
        segment_read(config, segment);
    }
}

static void mirror_size_check(struct config *config, const struct node *map)
{
    const struct config_options *options = &config->options;
    uint64_t shards = options->shards == 0 ? 1 : options->shards;
    uint64_t least = shards * MIRROR_SEGMENTS_MIN * options->mirror_segment_bytes;
    if (options->mirror_bytes < least) {
        char bytes_had[BYTES_TEXT_SIZE_MAX];
        char bytes_least[BYTES_TEXT_SIZE_MAX];
        char bytes_segment[BYTES_TEXT_SIZE_MAX];
        error_at(config, map,
                 "`bytes` of `mirror` is %s; at least %s is allowed, %d segments of %s for each "
                 "shard",
                 bytes_text(options->mirror_bytes, bytes_had), bytes_text(least, bytes_least),
                 MIRROR_SEGMENTS_MIN, bytes_text(options->mirror_segment_bytes, bytes_segment));
    }
}

/* Without a folder nothing is kept, so what is said about keeping it would not hold. */
static void directory_require(struct config *config, const struct node *const *value)
{
    static const enum keyword needy[] = {KEYWORD_data_ack, KEYWORD_data_checkpoint,
                                         KEYWORD_data_mirror};
    for (uint32_t i = 0; i < ARRAY_COUNT(needy); i++) {
        const struct node *node = value[needy[i]];
        if (node != NULL) {
            error_at(config, node->key,
                     "`%s` needs a folder to keep data in; add `directory` to "
                     "`data`, as directory: var/freshet",
                     keyword_name(needy[i]));
        }
    }
}

static uint32_t path_size(const char *path)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/') {
        size--;
    }
    return (uint32_t)size;
}

/* What reads a lake's folder expects Parquet, and what reads the data directory its own files. */
static void lake_check(struct config *config, const struct node *lake)
{
    const struct config_options *options = &config->options;
    uint32_t size = path_size(options->mirror_lake);
    if (size == path_size(options->data_directory) &&
        memcmp(options->mirror_lake, options->data_directory, size) == 0) {
        error_at(config, lake,
                 "`lake` is `%s`, as `directory` is; a folder of its own is allowed, as lake: "
                 "var/lake",
                 lake->text);
    }
}

void options_data_read(struct config *config, const struct node *map)
{
    struct config_options *options = &config->options;
    struct keyword_values values;
    uint32_t choice;
    keyword_read_map(config, map, PLACE_data, &values);
    if (map->kind != NODE_MAP) {
        return;
    }
    const struct node *const *value = values.value;
    if (node_map_find(map, "directory") == NULL) {
        directory_require(config, value);
    }
    if (value[KEYWORD_data_directory] != NULL &&
        scalar_read_text(config, value[KEYWORD_data_directory], "`directory`", CONFIG_PATH_SIZE_MAX,
                         options->data_directory)) {
        options->ack = CONFIG_ACK_DURABLE;
    }
    if (value[KEYWORD_data_ack] != NULL &&
        scalar_read_choice(config, value[KEYWORD_data_ack], "`ack`", ack_names,
                           ARRAY_COUNT(ack_names), &choice)) {
        options->ack = (enum config_ack)choice;
    }
    if (value[KEYWORD_data_checkpoint] != NULL) {
        duration_read(config, value[KEYWORD_data_checkpoint], "`checkpoint`", CHECKPOINT_US_MIN,
                      CHECKPOINT_US_MAX, &options->checkpoint_us);
    }
    if (value[KEYWORD_data_mirror] != NULL) {
        mirror_read(config, value[KEYWORD_data_mirror]);
    }
    if (options->data_directory[0] != '\0') {
        const struct node *mirror = value[KEYWORD_data_mirror];
        if (options->mirror_lake[0] != '\0') {
            lake_check(config, node_map_find(mirror, "lake"));
        }
        mirror_size_check(config, map);
    }
}
