/* Definitions beside those that run: what may differ, and where everything stands. */
#include <stdlib.h>
#include <string.h>

#include "config/errors.h"
#include "config/loader.h"
#include "dataplane/base/assert.h"

/* The merged maps of one older load. */
struct older {
    struct node *top[KEYWORD_COUNT];
};

/* True when both say the same: places and comments do not count. */
static bool node_equal(const struct node *a, const struct node *b)
{
    if (a == NULL || b == NULL || a->kind != b->kind) {
        return a == b;
    }
    if (a->kind == NODE_SCALAR) {
        return a->quoted == b->quoted && a->size == b->size &&
               memcmp(a->text, b->text, a->size) == 0;
    }
    const struct node *right = b->first;
    for (const struct node *left = a->first; left != NULL; left = left->next) {
        bool same_key = right != NULL && (left->key == NULL) == (right->key == NULL) &&
                        (left->key == NULL || strcmp(left->key->text, right->key->text) == 0);
        if (!same_key || !node_equal(left, right)) {
            return false;
        }
        right = right->next;
    }
    return right == NULL;
}

/* Moves a value to the end of a map, whatever else has its name. */
static void map_push(struct node *map, struct node *value)
{
    value->next = NULL;
    if (map->last == NULL) {
        map->first = value;
    } else {
        map->last->next = value;
    }
    map->last = value;
    map->size++;
}

/* Takes the entry of that name out of a map; NULL: it has none. */
static struct node *map_pull(struct node *map, const char *name)
{
    struct node *before = NULL;
    for (struct node *entry = map == NULL ? NULL : map->first; entry != NULL;
         before = entry, entry = entry->next) {
        if (strcmp(entry->key->text, name) != 0) {
            continue;
        }
        if (before == NULL) {
            map->first = entry->next;
        } else {
            before->next = entry->next;
        }
        map->last = map->last == entry ? before : map->last;
        map->size--;
        return entry;
    }
    return NULL;
}

/* As choices_read() of views has it; 0: it is wrong, which is told there. */
static uint32_t version_of(const struct node *view)
{
    const struct node *version = view->kind == NODE_MAP ? node_map_find(view, "version") : NULL;
    if (version == NULL) {
        return view->kind == NODE_MAP ? 1 : 0;
    }
    return version->kind == NODE_SCALAR ? (uint32_t)strtoul(version->text, NULL, 10) : 0;
}

/* Parses the texts of a load into maps of their own. */
static void older_read(struct loader *loader, const struct config_texts *texts,
                       void (*text_read)(struct loader *loader, const char *name, const char *text,
                                         uint64_t size),
                       struct older *out)
{
    struct node *top[KEYWORD_COUNT];
    memcpy(top, loader->top, sizeof(top));
    memset(loader->top, 0, sizeof(loader->top));
    for (uint32_t i = 0; i < texts->count; i++) {
        text_read(loader, texts->text[i].name, texts->text[i].text, texts->text[i].size);
    }
    memcpy(out->top, loader->top, sizeof(out->top));
    memcpy(loader->top, top, sizeof(top));
}

static void appliance_compare(struct loader *loader, const struct older *older, const char *first)
{
    const struct node *now = loader->top[KEYWORD_top_appliance];
    if (node_equal(now, older->top[KEYWORD_top_appliance])) {
        return;
    }
    const char *text = "`appliance` is not as it runs; what it says is taken at a start only: undo "
                       "the change, or start again";
    if (now == NULL) {
        error_in_file(loader->config, first, 0, 0, "%s", text);
    } else {
        error_at(loader->config, now->key, "%s", text);
    }
}

/* The same streams, in the order of those that run. */
static void streams_arrange(struct loader *loader, const struct older *older, const char *first)
{
    struct node *now = loader->top[KEYWORD_top_streams];
    const struct plan *plan = loader->running->plan;
    struct node *arranged = now == NULL ? NULL : node_map_create(&loader->tree, now);
    if (arranged == NULL) {
        error_in_file(loader->config, first, 0, 0, "defines no stream, or there is no memory");
        return;
    }
    arranged->key = now->key;
    for (uint32_t i = 0; i < plan->stream_count; i++) {
        const char *name = plan->stream[i].schema.name;
        struct node *stream = map_pull(now, name);
        if (stream == NULL) {
            error_in_file(loader->config, first, 0, 0,
                          "stream `%s` is gone; streams leave at a start only", name);
            continue;
        }
        const struct node *was = node_map_find(older->top[KEYWORD_top_streams], name);
        if (!node_equal(stream, was)) {
            error_at(loader->config, stream->key,
                     "stream `%s` is not as it runs; streams change at a start only", name);
        }
        map_push(arranged, stream);
    }
    for (struct node *stream = now->first; stream != NULL; stream = stream->next) {
        error_at(loader->config, stream->key, "stream `%s` is new; streams come at a start only",
                 stream->key->text);
    }
    loader->top[KEYWORD_top_streams] = arranged;
}

/* Takes the text of a view of that version out of an older load; NULL: none has it. */
static struct node *view_pull(const struct older *older, uint32_t count,
                              const struct plan_view *view)
{
    for (uint32_t i = 0; i < count; i++) {
        struct node *views = older[i].top[KEYWORD_top_views];
        const struct node *found = views == NULL ? NULL : node_map_find(views, view->name);
        if (found != NULL && version_of(found) == view->version) {
            return map_pull(views, view->name);
        }
    }
    return NULL;
}

/* Greatest version that runs of a name; 0: none does. */
static uint32_t version_running(const struct plan *plan, const char *name)
{
    int view = plan_view_find(plan, name, (uint32_t)strlen(name), 0);
    return view < 0 ? 0 : plan->view[view].version;
}

/* Views that run first, in their order and as they are, then what is new. */
static void views_arrange(struct loader *loader, const struct older *older, uint32_t older_count,
                          const char *first)
{
    const struct plan *plan = loader->running->plan;
    struct node *now = loader->top[KEYWORD_top_views];
    struct node place = {.file = first, .line = 1, .column = 1};
    struct node *arranged = node_map_create(&loader->tree, now == NULL ? &place : now);
    if (arranged == NULL) {
        error_in_file(loader->config, first, 0, 0, "the machine gave no memory for it");
        return;
    }
    arranged->key = now == NULL ? NULL : now->key;
    for (uint32_t i = 0; i < plan->view_count; i++) {
        const struct plan_view *view = &plan->view[i];
        const struct node *there = now == NULL ? NULL : node_map_find(now, view->name);
        bool newest = version_running(plan, view->name) == view->version;
        struct node *taken = NULL;
        if (there != NULL && version_of(there) == view->version) {
            taken = map_pull(now, view->name);
        } else {
            taken = view_pull(older, older_count, view);
        }
        if (newest && there == NULL) {
            error_in_file(loader->config, first, 0, 0,
                          "view `%s` is gone; views leave at a start only", view->name);
        } else if (newest && version_of(there) != 0 && version_of(there) < view->version) {
            error_at(loader->config, there->key,
                     "view `%s` has version %u, and %u runs; versions only rise", view->name,
                     version_of(there), view->version);
        } else if (taken == NULL) {
            error_in_file(loader->config, first, 0, 0, "view `%s@%u` runs, and its text is lost",
                          view->name, view->version);
        } else {
            map_push(arranged, taken);
        }
    }
    for (struct node *view = now == NULL ? NULL : now->first; view != NULL;) {
        struct node *next = view->next;
        map_push(arranged, view);
        view = next;
    }
    loader->top[KEYWORD_top_views] = arranged;
}

void beside_arrange(struct loader *loader, const char *first,
                    void (*text_read)(struct loader *loader, const char *name, const char *text,
                                      uint64_t size))
{
    const struct config_running *running = loader->running;
    if (loader->config->error_count > 0) {
        return; /* What cannot be read is compared with nothing. */
    }
    ASSERT(running->load_count > 0 && running->load_count <= CONFIG_LOADS_MAX);
    struct older older[CONFIG_LOADS_MAX];
    for (uint32_t i = 0; i < running->load_count; i++) {
        older_read(loader, running->load[i], text_read, &older[i]);
    }
    if (!running->options_free) {
        appliance_compare(loader, &older[0], first);
    }
    streams_arrange(loader, &older[0], first);
    views_arrange(loader, older, running->load_count, first);
}

static int service_find_version(const struct plan *plan, const struct plan_service *service)
{
    for (uint32_t i = 0; i < plan->service_count; i++) {
        if (strcmp(plan->service[i].name, service->name) == 0 &&
            plan->service[i].version == service->version) {
            return (int)i;
        }
    }
    return -1;
}

/* Who counts for an objective has its number for life: they stay as they are. */
static void objectives_keep(struct loader *loader, const char *first)
{
    const struct plan *was = loader->running->plan;
    struct plan *plan = &loader->config->plan;
    plan->objective_count = was->objective_count;
    for (uint32_t i = 0; i < was->objective_count; i++) {
        plan->objective[i] = was->objective[i];
        if (!was->objective[i].of_service) {
            continue;
        }
        const struct plan_service *service = &was->service[was->objective[i].owner];
        int index = service_find_version(plan, service);
        if (index < 0) {
            error_in_file(loader->config, first, 0, 0,
                          "service `%s` of version %u has an `slo` that runs, and is gone; it "
                          "leaves at a start only",
                          service->name, service->version);
            return;
        }
        plan->objective[i].owner = (uint16_t)index;
    }
}

void beside_check(struct loader *loader, const char *first)
{
    const struct plan *was = loader->running->plan;
    const struct plan *plan = &loader->config->plan;
    ASSERT(plan->view_count >= was->view_count);
    for (uint32_t i = 0; i < was->view_count; i++) {
        if (plan->view[i].fingerprint != was->view[i].fingerprint) {
            error_at(loader->config, loader->view_node[i],
                     "view `%s` is not what it was, and has the same version; say `version: %u`",
                     was->view[i].name, was->view[i].version + 1u);
        }
    }
    objectives_keep(loader, first);
}
