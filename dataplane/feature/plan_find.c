#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/distance.h"
#include "dataplane/feature/plan.h"

static bool name_is(const char *name, const char *text, uint32_t size)
{
    return strlen(name) == size && memcmp(name, text, size) == 0;
}

/* Order of a name of the plan and a text that is not NUL-terminated. */
static int name_compare(const char *name, const char *text, uint32_t size)
{
    uint32_t length = (uint32_t)strlen(name);
    int order = memcmp(name, text, length < size ? length : size);
    return order != 0 ? order : (int)length - (int)size;
}

/* Views by name, then version. */
static int view_compare(const struct plan_view *view, const char *name, uint32_t size,
                        uint32_t version)
{
    int order = name_compare(view->name, name, size);
    return order != 0 ? order : (int)view->version - (int)version;
}

/* First place of view_by_name that is not before (name, version). */
static uint32_t view_bound(const struct plan *plan, uint32_t count, const char *name, uint32_t size,
                           uint32_t version)
{
    uint32_t low = 0;
    while (low < count) {
        uint32_t middle = low + (count - low) / 2;
        const struct plan_view *view = &plan->view[plan->view_by_name[middle]];
        if (view_compare(view, name, size, version) < 0) {
            low = middle + 1;
        } else {
            count = middle;
        }
    }
    return low;
}

/* First place of entity_view whose entity is not before the name. */
static uint32_t entity_bound(const struct plan *plan, const char *name, uint32_t size)
{
    uint32_t low = 0;
    uint32_t high = plan->entity_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (name_compare(plan->view[plan->entity_view[middle]].entity, name, size) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void index_insert(uint16_t *index, uint32_t count, uint32_t at, uint32_t view)
{
    memmove(&index[at + 1], &index[at], (count - at) * sizeof(index[0]));
    index[at] = (uint16_t)view;
}

void plan_names_finish(struct plan *plan)
{
    plan->entity_count = 0;
    for (uint32_t i = 0; i < plan->view_count; i++) {
        const struct plan_view *view = &plan->view[i];
        uint32_t at =
            view_bound(plan, i, view->name, (uint32_t)strlen(view->name), view->version + 1u);
        index_insert(plan->view_by_name, i, at, i);
        if (plan_entity_find(plan, view->entity, (uint32_t)strlen(view->entity)) < 0) {
            at = entity_bound(plan, view->entity, (uint32_t)strlen(view->entity));
            index_insert(plan->entity_view, plan->entity_count++, at, i);
        }
    }
}

bool plan_view_is_newest(const struct plan *plan, uint32_t view)
{
    const char *name = plan->view[view].name;
    return plan_view_find(plan, name, (uint32_t)strlen(name), 0) == (int)view;
}

int plan_entity_find(const struct plan *plan, const char *name, uint32_t size)
{
    uint32_t at = entity_bound(plan, name, size);
    bool found =
        at < plan->entity_count && name_is(plan->view[plan->entity_view[at]].entity, name, size);
    return found ? (int)plan->entity_view[at] : -1;
}

int plan_stream_find_id(const struct plan *plan, uint16_t id)
{
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        if (plan->stream[i].schema.id == id) {
            return (int)i;
        }
    }
    return -1;
}

int plan_stream_find(const struct plan *plan, const char *name, uint32_t size)
{
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        if (name_is(plan->stream[i].schema.name, name, size)) {
            return (int)i;
        }
    }
    return -1;
}

int plan_view_find(const struct plan *plan, const char *name, uint32_t size, uint32_t version)
{
    bool newest = version == 0;
    uint32_t at =
        view_bound(plan, plan->view_count, name, size, newest ? UINT16_MAX + 1u : version);
    if (newest && at-- == 0) {
        return -1;
    }
    if (at == plan->view_count) {
        return -1;
    }
    const struct plan_view *view = &plan->view[plan->view_by_name[at]];
    bool found = name_is(view->name, name, size) && (newest || view->version == version);
    return found ? (int)plan->view_by_name[at] : -1;
}

/* `view` or `view@2`: *size becomes that of the name; *out_version is 0 without one. False:
 * what follows the '@' is no version. */
static bool view_part_read(const char *text, uint32_t *size, uint32_t *out_version)
{
    const char *at = *size > 0 ? memchr(text, '@', *size) : NULL;
    *out_version = 0;
    if (at == NULL) {
        return true;
    }
    for (const char *digit = at + 1; digit < text + *size; digit++) {
        if (*digit < '0' || *digit > '9' || *out_version > UINT16_MAX) {
            return false;
        }
        *out_version = *out_version * 10 + (uint32_t)(*digit - '0');
    }
    *size = (uint32_t)(at - text);
    return *out_version > 0;
}

/* A view's name with or without version, and the feature's name in it. */
static int feature_find_parts(const struct plan *plan, const char *view, uint32_t view_size,
                              const char *feature, uint32_t feature_size)
{
    uint32_t version;
    if (!view_part_read(view, &view_size, &version)) {
        return -1;
    }
    int index = plan_view_find(plan, view, view_size, version);
    if (index < 0) {
        return -1;
    }
    const struct plan_view *found = &plan->view[index];
    for (uint32_t i = found->feature_first;
         i < (uint32_t)found->feature_first + found->feature_count; i++) {
        if (name_is(plan->feature[i].name, feature, feature_size)) {
            return (int)i;
        }
    }
    return -1;
}

/* Bytes of the separator at a place of a reference; 0: none. */
static uint32_t separator_size(const char *reference, uint32_t size, uint32_t at)
{
    if (reference[at] == '.' || reference[at] == ':') {
        return 1;
    }
    return at + 1 < size && reference[at] == '_' && reference[at + 1] == '_' ? 2 : 0;
}

int plan_feature_find(const struct plan *plan, const char *reference, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        uint32_t separator = separator_size(reference, size, i);
        if (separator == 0) {
            continue;
        }
        int found =
            feature_find_parts(plan, reference, i, reference + i + separator, size - i - separator);
        if (found >= 0) {
            return found;
        }
    }
    return -1;
}

#define REFERENCE_SIZE_MAX (NAME_SIZE_MAX + FEATURE_NAME_SIZE_MAX)
/* Features that a suggestion is looked for among, at most: each costs about a microsecond. */
#define SUGGEST_TRIES_MAX 4096u

/* The view that a reference begins with, or -1. */
static int reference_view(const struct plan *plan, const char *reference, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++) {
        uint32_t version = 0;
        uint32_t view_size = i;
        if (separator_size(reference, size, i) > 0 &&
            view_part_read(reference, &view_size, &version)) {
            int view = plan_view_find(plan, reference, view_size, version);
            if (view >= 0) {
                return view;
            }
        }
    }
    return -1;
}

void plan_feature_suggest(const struct plan *plan, const char *entity, const char *reference,
                          uint32_t size, char *out, uint32_t out_size)
{
    ASSERT(out_size > 0);
    out[0] = '\0';
    if (size >= REFERENCE_SIZE_MAX) {
        return;
    }
    int named = reference_view(plan, reference, size);
    if (named >= 0 && entity != NULL && strcmp(entity, plan->view[named].entity) != 0) {
        named = -1;
    }
    uint32_t best = size / 2 + 2; /* Farther than that is no help. */
    uint32_t tries = 0;
    for (uint32_t i = 0; i < plan->feature_count && tries < SUGGEST_TRIES_MAX; i++) {
        const struct plan_feature *feature = &plan->feature[i];
        const struct plan_view *view = &plan->view[feature->view];
        if ((named >= 0 && named != (int)feature->view) ||
            (entity != NULL && strcmp(entity, view->entity) != 0)) {
            continue;
        }
        char known[REFERENCE_SIZE_MAX];
        uint32_t view_length = (uint32_t)strlen(view->name);
        uint32_t length = view_length + 1 + (uint32_t)strlen(feature->name);
        memcpy(known, view->name, view_length);
        known[view_length] = '.';
        memcpy(known + view_length + 1, feature->name, length - view_length - 1);
        uint32_t distance = distance_edits(reference, size, known, length);
        tries++;
        if (distance < best && length < out_size) {
            best = distance;
            memcpy(out, known, length);
            out[length] = '\0';
        }
    }
}
