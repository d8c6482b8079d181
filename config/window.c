/* `windows:` of a view. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/errors.h"
#include "config/scalar.h"
#include "config/view.h"
#include "dataplane/base/units.h"

#define STEP_US US_PER_MS /* Windows and tiles are whole milliseconds. */
#define WINDOW_ALLOWED                                                                             \
    "10m, `tumbling 1h`, `hopping 1h by 15m`, `session 30m`, `20 events` and lifetime are allowed"
/* The longest duration, its unit and a NUL. */
#define PART_SIZE_MAX 20

static const struct {
    const char *name;
    const char *sentence;
} windows_later[] = {
#define WINDOW_LATER(name, sentence) {#name, sentence},
#include "config/windows_later.def"
#undef WINDOW_LATER
};

/* True when text begins with the word and a space or the end follows; moves *text behind both. */
static bool word_take(const char **text, const char *word)
{
    size_t size = strlen(word);
    if (strncmp(*text, word, size) != 0 || ((*text)[size] != '\0' && (*text)[size] != ' ')) {
        return false;
    }
    *text += size;
    while (**text == ' ') {
        ++*text;
    }
    return true;
}

/* The next word of *text as a duration, with its text. */
static bool duration_take(const char **text, char out_text[PART_SIZE_MAX], int64_t *out_us)
{
    size_t size = strcspn(*text, " ");
    if (size == 0 || size >= PART_SIZE_MAX) {
        return false;
    }
    memcpy(out_text, *text, size);
    out_text[size] = '\0';
    *text += size;
    while (**text == ' ') {
        ++*text;
    }
    return duration_parse(out_text, out_us) && *out_us >= STEP_US && *out_us % STEP_US == 0;
}

/* `20 events` */
static bool events_take(const char *text, struct plan_window *window)
{
    char *end;
    unsigned long long number = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
    if (number == 0 || number > UINT32_MAX || strcmp(end, " events") != 0) {
        return false;
    }
    window->kind = WINDOW_EVENTS;
    window->events = (uint32_t)number;
    (void)snprintf(window->name, sizeof(window->name), "%llu_events", number);
    return true;
}

/* The kind, lengths and suffix that the text says; false when it says none. */
static bool window_parse(const char *text, struct plan_window *window)
{
    char width[PART_SIZE_MAX];
    char step[PART_SIZE_MAX];
    const char *at = text;
    if (strcmp(text, "lifetime") == 0) {
        window->kind = WINDOW_LIFETIME;
        return true;
    }
    if (events_take(text, window)) {
        return true;
    }
    bool good;
    if (word_take(&at, "hopping")) {
        window->kind = WINDOW_HOPPING;
        good = duration_take(&at, width, &window->width_us) && word_take(&at, "by") &&
               duration_take(&at, step, &window->step_us);
        (void)snprintf(window->name, sizeof(window->name), "hopping_%s_by_%s", width, step);
    } else if (word_take(&at, "tumbling")) {
        window->kind = WINDOW_TUMBLING;
        good = duration_take(&at, width, &window->width_us);
        (void)snprintf(window->name, sizeof(window->name), "tumbling_%s", width);
    } else if (word_take(&at, "session")) {
        window->kind = WINDOW_SESSION;
        good = duration_take(&at, width, &window->width_us);
        (void)snprintf(window->name, sizeof(window->name), "session_%s", width);
    } else {
        good = duration_take(&at, width, &window->width_us);
        memcpy(window->name, width, sizeof(width));
    }
    return good && *at == '\0';
}

/* Says why text is no window. */
static void window_report(struct view_reader *reader, const struct node *item)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(windows_later); i++) {
        const char *text = item->text;
        if (word_take(&text, windows_later[i].name)) {
            error_at(reader->config, item, "`%s` windows are not built yet (%s); " WINDOW_ALLOWED,
                     windows_later[i].name, windows_later[i].sentence);
            return;
        }
    }
    int64_t us;
    bool plain = strpbrk(item->text, " _(") == NULL && item->text[0] >= '0' && item->text[0] <= '9';
    if (!plain || scalar_read_duration(reader->config, item, "a window", STEP_US, STEP_US, &us)) {
        error_at(reader->config, item, "a window is `%.64s`; " WINDOW_ALLOWED, item->text);
    }
}

/* What goes beyond what its view can answer. */
static void window_check(struct view_reader *reader, const struct node *item,
                         const struct plan_window *window)
{
    struct plan_view *view = reader->view;
    struct config *config = reader->config;
    char finest[DURATION_TEXT_SIZE_MAX];
    if (window->kind == WINDOW_EVENTS && window->events > WINDOW_EVENTS_MAX) {
        error_at(config, item, "`%s`: 1 to %d events are allowed", item->text, WINDOW_EVENTS_MAX);
    } else if (window->kind == WINDOW_SESSION && reader->schema != NULL &&
               config->plan.stream[view->stream].late == LATE_APPLY) {
        error_at(config, item,
                 "`%s`: stream `%s` applies events however late they are, and each could join two "
                 "sessions that are over; `late: ledger` or `late: drop` is allowed",
                 item->text, reader->schema->name);
    } else if (window->kind == WINDOW_SESSION && view->other_count > 0) {
        error_at(config, item,
                 "`%s`: events of several streams are late at different times, so that no session "
                 "is ever over for good; one `source` is allowed",
                 item->text);
    } else if (plan_window_reach_us(window) == 0) {
        return;
    } else if (window->width_us < view->ladder_us[0]) {
        error_at(config, item,
                 "window `%s` is shorter than the finest tile, %s; make "
                 "the window longer or begin `ladder` with a smaller one",
                 item->text, duration_text(view->ladder_us[0], finest));
    } else if (window->step_us > window->width_us) {
        error_at(config, item,
                 "window `%s` steps by more than its length, so that events between would count "
                 "nowhere; a step up to the length is allowed",
                 item->text);
    } else if (plan_window_level(view, window) < 0) {
        error_at(config, item,
                 "window `%s` does not begin and end with tiles; multiples of the finest, %s, are "
                 "allowed, or another `ladder`",
                 item->text, duration_text(view->ladder_us[0], finest));
    }
}

/* Where a window stands in its view: timed ones by length, then the others, lifetime last. */
static bool window_before(const struct plan_window *a, const struct plan_window *b)
{
    bool a_timed = plan_window_reach_us(a) > 0;
    bool b_timed = plan_window_reach_us(b) > 0;
    if (a_timed != b_timed) {
        return a_timed;
    }
    if (a_timed && a->width_us != b->width_us) {
        return a->width_us < b->width_us;
    }
    return a->kind < b->kind;
}

static bool window_same(const struct plan_window *a, const struct plan_window *b)
{
    return a->kind == b->kind && a->width_us == b->width_us && a->step_us == b->step_us &&
           a->events == b->events;
}

static void window_read(struct view_reader *reader, const struct node *item)
{
    struct plan_view *view = reader->view;
    struct plan_window window = {0};
    if (!scalar_is(reader->config, item, "a window")) {
        return;
    }
    if (!window_parse(item->text, &window)) {
        window_report(reader, item);
        return;
    }
    window_check(reader, item, &window);
    for (uint32_t i = 0; i < view->window_count; i++) {
        if (window_same(&view->window[i], &window)) {
            error_at(reader->config, item, "window `%s` is there already%s%s; keep one", item->text,
                     view->window[i].name[0] == '\0' ? "" : " as ", view->window[i].name);
            return;
        }
    }
    uint32_t at = view->window_count;
    while (at > 0 && window_before(&window, &view->window[at - 1])) {
        at--;
    }
    memmove(&view->window[at + 1], &view->window[at], sizeof(window) * (view->window_count - at));
    view->window[at] = window;
    view->window_count++;
}

void view_windows_read(struct view_reader *reader, const struct node *list)
{
    if (list->kind == NODE_BROKEN) {
        return;
    }
    if (list->kind != NODE_LIST || list->size == 0) {
        error_at(reader->config, list, "`windows` is a list, as [10m, 1h, 1d]");
        return;
    }
    if (list->size > WINDOWS_MAX) {
        error_at(reader->config, list, "%u windows; at most %d are allowed", list->size,
                 WINDOWS_MAX);
        return;
    }
    for (const struct node *item = list->first; item != NULL; item = item->next) {
        window_read(reader, item);
    }
}
