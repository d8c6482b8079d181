/* What patterns cost: one scan of a string field of 32 bytes for all patterns of the field. */
#include <stdio.h>
#include <string.h>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/regex.h"
#include "drivers/pattern.h"
#include "perf/benches/bench.h"
#include "perf/benches/results.h"
#include "perf/load/endpoint.h"

#define PATTERNS_RULES   100u
#define PATTERNS_TEXTS   4096u /* 128 KiB: as fresh from the card, not from memory. */
#define PATTERNS_BYTES   32u
#define PATTERNS_SECONDS 1.0

struct patterns_case {
    const char *name;
    uint32_t rules;
};

static const struct patterns_case patterns_cases[] = {
    {"patterns/rules:1", 1},
    {"patterns/rules:10", 10},
    {"patterns/rules:100", PATTERNS_RULES},
};

struct patterns_world {
    char text[PATTERNS_TEXTS][PATTERNS_BYTES];
    char regex[PATTERNS_RULES][REGEX_SIZE_MAX];
    struct pattern_source source[PATTERNS_RULES];
};

/* Names of merchants as they come: a word, a number, a place. */
static void texts_fill(struct patterns_world *world)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789  .-";
    struct random random;
    random_seed(&random, 1);
    for (uint32_t i = 0; i < PATTERNS_TEXTS; i++) {
        for (uint32_t at = 0; at < PATTERNS_BYTES; at++) {
            world->text[i][at] = letters[random_below(&random, sizeof(letters) - 1)];
        }
        if (i % 16 == 0) { /* One in sixteen matches a rule or more. */
            char name[PATTERNS_BYTES];
            int size = snprintf(name, sizeof(name), "shop%u-42.", i / 16 % PATTERNS_RULES);
            memcpy(world->text[i], name, (uint32_t)size);
        }
    }
}

/* Four shapes in turn: a word, a beginning, a word and digits behind, an end. */
static bool rules_fill(struct patterns_world *world, uint32_t count)
{
    static const char *const shapes[] = {"shop%u-", "^shop%u\\W", "(?i)shop%u.?[0-9]{2}",
                                         "(card|cash)%u *$"};
    for (uint32_t i = 0; i < count; i++) {
        char text[REGEX_TEXT_MAX];
        struct regex_error error;
        const char *mark = strchr(shapes[i % ARRAY_COUNT(shapes)], '%');
        int size =
            snprintf(text, sizeof(text), "%.*s%u%s", (int)(mark - shapes[i % ARRAY_COUNT(shapes)]),
                     shapes[i % ARRAY_COUNT(shapes)], i, mark + 2);
        if (!regex_from_text(text, (uint32_t)size, world->regex[i], &error)) {
            return false;
        }
        world->source[i] =
            (struct pattern_source){.regex = world->regex[i], .number = i, .utf8 = true};
    }
    return true;
}

/* One pass; returns how many texts matched something. */
static uint64_t world_scan(const struct patterns_world *world, const struct pattern_set *set,
                           struct pattern_scratch *scratch)
{
    uint64_t matched = 0;
    for (uint32_t i = 0; i < PATTERNS_TEXTS; i++) {
        uint64_t bits[2] = {0};
        pattern_scan(set, scratch, 0, world->text[i], PATTERNS_BYTES, bits);
        matched += (bits[0] | bits[1]) != 0;
    }
    return matched;
}

static void patterns_run(struct bench_run *run, const void *context)
{
    const struct patterns_case *this = context;
    static struct patterns_world world;
    char error[PATTERN_ERROR_SIZE_MAX];
    struct pattern_set *set = NULL;
    struct pattern_scratch *scratch = NULL;
    uint32_t index;
    texts_fill(&world);
    if (!rules_fill(&world, this->rules) ||
        pattern_set_open(world.source, this->rules, &set, &index, error) != RESULT_OK ||
        pattern_scratch_open(&set, 1, &scratch) != RESULT_OK) {
        bench_fail(run, "the patterns do not compile");
        pattern_set_close(set);
        return;
    }
    uint64_t matched = world_scan(&world, set, scratch);
    uint64_t passes = 0;
    int64_t start_ns = endpoint_thread_ns();
    int64_t until_ns = start_ns + (int64_t)(results_seconds(PATTERNS_SECONDS) * 1e9);
    while (endpoint_thread_ns() < until_ns) {
        (void)world_scan(&world, set, scratch);
        passes++;
    }
    int64_t spent_ns = endpoint_thread_ns() - start_ns;
    bench_set(run, "ns_per_event", (double)spent_ns / (double)(passes * PATTERNS_TEXTS));
    bench_set(run, "matched_ratio", (double)matched / PATTERNS_TEXTS);
    bench_set(run, "set_bytes", (double)pattern_set_bytes(set));
    if (matched == 0) {
        bench_fail(run, "no text matched");
    }
    pattern_scratch_close(scratch);
    pattern_set_close(set);
}

void patterns_register(void)
{
    for (uint32_t i = 0; i < ARRAY_COUNT(patterns_cases); i++) {
        bench_register(patterns_cases[i].name, patterns_run, &patterns_cases[i]);
    }
}
