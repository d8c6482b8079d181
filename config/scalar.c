#include "config/scalar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "config/errors.h"
#include "config/suggest.h"
#include "dataplane/base/units.h"

struct unit {
    const char *name;
    uint64_t count; /* Of the smallest. */
};

static const struct unit time_units[] = {
    {"us", 1},
    {"ms", 1000},
    {"s", 1000000},
    {"m", UINT64_C(60) * 1000000},
    {"h", UINT64_C(3600) * 1000000},
    {"d", UINT64_C(86400) * 1000000},
};

static const struct unit byte_units[] = {
    {"KiB", KIB},
    {"MiB", MIB},
    {"GiB", GIB},
    {"TiB", GIB * 1024},
};

bool scalar_is(struct config *config, const struct node *node, const char *what)
{
    if (node->kind == NODE_MAP || node->kind == NODE_LIST) {
        error_at(config, node, "%s is one value, not a %s", what,
                 node->kind == NODE_MAP ? "map" : "list");
    }
    return node->kind == NODE_SCALAR;
}

/* Digits from the front of text; their number, 0 when there are none, they begin with a needless 0
 * or pass 64 bits. */
static uint32_t digits_parse(const char *text, uint64_t *out_value)
{
    uint64_t value = 0;
    *out_value = 0;
    uint32_t at = 0;
    for (; text[at] >= '0' && text[at] <= '9'; at++) {
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[at] - '0'), &value)) {
            return 0;
        }
    }
    *out_value = value;
    return at > 1 && text[0] == '0' ? 0 : at;
}

bool scalar_read_uint(struct config *config, const struct node *node, const char *what,
                      uint64_t min, uint64_t max, uint64_t *out_value)
{
    if (!scalar_is(config, node, what)) {
        return false;
    }
    uint64_t value = 0;
    uint32_t digits = digits_parse(node->text, &value);
    if (digits == 0 || digits != node->size || value < min || value > max) {
        error_at(config, node,
                 "%s is `%.64s`; a whole number from %" PRIu64 " to %" PRIu64 " is allowed", what,
                 node->text, min, max);
        return false;
    }
    *out_value = value;
    return true;
}

bool scalar_read_bool(struct config *config, const struct node *node, const char *what,
                      bool *out_value)
{
    if (!scalar_is(config, node, what)) {
        return false;
    }
    bool is_true = strcmp(node->text, "true") == 0;
    if (!is_true && strcmp(node->text, "false") != 0) {
        error_at(config, node, "%s is `%.64s`; true or false is allowed", what, node->text);
        return false;
    }
    *out_value = is_true;
    return true;
}

/* Digits and a unit of the table; false when text is anything else or passes 63 bits. */
static bool quantity_parse(const char *text, const struct unit *units, uint32_t unit_count,
                           uint64_t *out_value)
{
    uint64_t number = 0;
    uint32_t digits = digits_parse(text, &number);
    if (digits == 0) {
        return false;
    }
    for (uint32_t i = 0; i < unit_count; i++) {
        uint64_t value;
        if (strcmp(text + digits, units[i].name) == 0 &&
            !__builtin_mul_overflow(number, units[i].count, &value) && value <= INT64_MAX) {
            *out_value = value;
            return true;
        }
    }
    return false;
}

bool duration_parse(const char *text, int64_t *out_us)
{
    uint64_t value = 0;
    if (!quantity_parse(text, time_units, ARRAY_COUNT(time_units), &value) ||
        value > (uint64_t)DURATION_US_MAX) {
        return false;
    }
    *out_us = (int64_t)value;
    return true;
}

bool scalar_read_duration(struct config *config, const struct node *node, const char *what,
                          int64_t min_us, int64_t step_us, int64_t *out_us)
{
    if (!scalar_is(config, node, what)) {
        return false;
    }
    uint64_t value = 0;
    if (!quantity_parse(node->text, time_units, ARRAY_COUNT(time_units), &value)) {
        error_at(config, node,
                 "%s is `%.64s`; a whole number with a unit us, ms, s, m, h or d is "
                 "allowed, as 10m",
                 what, node->text);
        return false;
    }
    int64_t us = (int64_t)value;
    char least[DURATION_TEXT_SIZE_MAX];
    if (us < min_us || us > DURATION_US_MAX) {
        error_at(config, node, "%s is `%s`; %s to 36500d is allowed", what, node->text,
                 min_us == 0 ? "0s" : duration_text(min_us, least));
        return false;
    }
    if (us % step_us != 0) {
        error_at(config, node, "%s is `%s`; whole multiples of %s are allowed", what, node->text,
                 duration_text(step_us, least));
        return false;
    }
    *out_us = us;
    return true;
}

bool scalar_read_bytes(struct config *config, const struct node *node, const char *what,
                       uint64_t min, uint64_t max, uint64_t *out_bytes)
{
    if (!scalar_is(config, node, what)) {
        return false;
    }
    uint64_t value = 0;
    if (!quantity_parse(node->text, byte_units, ARRAY_COUNT(byte_units), &value)) {
        error_at(config, node,
                 "%s is `%.64s`; a whole number with a unit KiB, MiB, GiB or TiB is "
                 "allowed, as 2GiB",
                 what, node->text);
        return false;
    }
    if (value < min || value > max) {
        char least[BYTES_TEXT_SIZE_MAX];
        char most[BYTES_TEXT_SIZE_MAX];
        error_at(config, node, "%s is `%s`; %s to %s is allowed", what, node->text,
                 bytes_text(min, least), bytes_text(max, most));
        return false;
    }
    *out_bytes = value;
    return true;
}

bool scalar_read_text(struct config *config, const struct node *node, const char *what,
                      uint32_t size_max, char *out)
{
    if (!scalar_is(config, node, what)) {
        return false;
    }
    if (node->size == 0 || node->size >= size_max) {
        error_at(config, node, "%s has %u bytes; 1 to %u are allowed", what, node->size,
                 size_max - 1);
        return false;
    }
    memcpy(out, node->text, node->size + 1);
    return true;
}

static bool name_read(struct config *config, const struct node *node, const char *what,
                      bool capitals, char *out)
{
    if (!scalar_is(config, node, what)) {
        return false;
    }
    uint32_t good = 0;
    for (; good < node->size; good++) {
        char c = node->text[good];
        bool letter = (c >= 'a' && c <= 'z') || c == '_' || (capitals && c >= 'A' && c <= 'Z');
        if (!letter && (good == 0 || c < '0' || c > '9')) {
            break;
        }
    }
    if (node->size == 0 || good < node->size) {
        error_inside(config, node, good,
                     "%s is `%.64s`; a name has %sletters, digits and "
                     "_, and begins with no digit",
                     what, node->text, capitals ? "" : "lower-case ");
        return false;
    }
    if (node->size >= NAME_SIZE_MAX) {
        error_at(config, node, "%s has %u characters; at most %d are allowed", what, node->size,
                 NAME_SIZE_MAX - 1);
        return false;
    }
    memcpy(out, node->text, node->size + 1);
    return true;
}

bool scalar_read_name(struct config *config, const struct node *node, const char *what, char *out)
{
    return name_read(config, node, what, false, out);
}

bool scalar_read_column(struct config *config, const struct node *node, const char *what, char *out)
{
    return name_read(config, node, what, true, out);
}

bool scalar_read_choice(struct config *config, const struct node *node, const char *what,
                        const char *const *names, uint32_t count, uint32_t *out_index)
{
    if (!scalar_is(config, node, what)) {
        return false;
    }
    struct suggest suggest = suggest_for(node->text);
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(node->text, names[i]) == 0) {
            *out_index = i;
            return true;
        }
        suggest_try(&suggest, names[i]);
    }
    char near[SUGGEST_TEXT_SIZE_MAX];
    error_at(config, node, "%s is `%.64s`%s%s allowed: %s", what, node->text,
             suggest_text(&suggest, near), suggest.best == NULL ? ";" : "", suggest.allowed);
    return false;
}

const char *duration_text(int64_t us, char out[DURATION_TEXT_SIZE_MAX])
{
    uint32_t i = ARRAY_COUNT(time_units) - 1;
    while (i > 0 && (us % (int64_t)time_units[i].count != 0 || us == 0)) {
        i--;
    }
    snprintf(out, DURATION_TEXT_SIZE_MAX, "%" PRId64 "%s", us / (int64_t)time_units[i].count,
             time_units[i].name);
    return out;
}

const char *bytes_text(uint64_t bytes, char out[BYTES_TEXT_SIZE_MAX])
{
    uint32_t i = ARRAY_COUNT(byte_units) - 1;
    while (i > 0 && (bytes % byte_units[i].count != 0 || bytes == 0)) {
        i--;
    }
    snprintf(out, BYTES_TEXT_SIZE_MAX, "%" PRIu64 "%s", bytes / byte_units[i].count,
             byte_units[i].name);
    return out;
}
