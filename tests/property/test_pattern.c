/* Random patterns over random texts: Hyperscan behind drivers/pattern against what can be read off.
 * LIKE against like_matches(); a regex against its own tree, walked over sets of places. */
#include <inttypes.h>
#include <stdio.h>

#include "dataplane/base/random.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/program.h"
#include "dataplane/feature/regex.h"
#include "drivers/pattern.h"
#include "tests/support/unit.h"

#define SETS          50u
#define SET_PATTERNS  16u
#define SET_TEXTS     200u
#define TREE_MAX      64u
#define TEXT_PLACES   24u
#define TEXT_SIZE_MAX 96u

static struct random draws;

static uint32_t below(uint32_t limit)
{
    return (uint32_t)random_below(&draws, limit);
}

/* Characters that patterns and texts are made of: spaces that differ, word and not, 1 to 4 bytes.
 * */
static const struct {
    const char *text;    /* In a text. */
    const char *pattern; /* In a pattern. */
    bool digit;
    bool word;
    bool space;
} alphabet[] = {
    {"a", "a", false, true, false},
    {"b", "b", false, true, false},
    {"7", "7", true, true, false},
    {"_", "_", false, true, false},
    {" ", " ", false, false, true},
    {"\n", "\\n", false, false, true},
    {"\v", "\\v", false, false, false},
    {"-", "\\-", false, false, false},
    {"]", "\\]", false, false, false},
    {"{", "\\{", false, false, false},
    {"\xc3\xa9", "\xc3\xa9", false, false, false},
    {"\xe2\x82\xac", "\\x{20ac}", false, false, false},
    {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80", false, false, false},
};
#define NEWLINE 5u

/* Places of a text are bits: 0 before its first character. */
struct text {
    char bytes[TEXT_SIZE_MAX];
    uint32_t size;
    uint32_t count;
    uint8_t character[TEXT_PLACES];
};

enum tree_kind {
    TREE_SET,  /* Characters of a mask; `.`, a class and a literal are some. */
    TREE_BOTH, /* One after the other. */
    TREE_EITHER,
    TREE_REPEAT,
    TREE_START,
    TREE_END,
    TREE_BORDER,
    TREE_NO_BORDER,
};

struct tree {
    enum tree_kind kind;
    uint32_t mask;
    uint32_t left;
    uint32_t right;
    uint32_t least;
    uint32_t most; /* UINT32_MAX: without end. */
};

struct tree_pattern {
    struct tree tree[TREE_MAX];
    uint32_t tree_count;
    char text[1024];
    uint32_t size;
};

static void put(struct tree_pattern *pattern, const char *text)
{
    uint32_t size = (uint32_t)strlen(text);
    assert_true(pattern->size + size < sizeof(pattern->text));
    memcpy(pattern->text + pattern->size, text, size + 1);
    pattern->size += size;
}

static uint32_t node(struct tree_pattern *pattern, struct tree tree)
{
    assert_true(pattern->tree_count < TREE_MAX);
    pattern->tree[pattern->tree_count] = tree;
    return pattern->tree_count++;
}

static uint32_t mask_of(char class)
{
    uint32_t mask = 0;
    for (uint32_t i = 0; i < ARRAY_COUNT(alphabet); i++) {
        bool in = class == 'd'   ? alphabet[i].digit
                  : class == 'w' ? alphabet[i].word
                  : class == 's' ? alphabet[i].space
                                 : i != NEWLINE;
        mask |= (uint32_t)in << i;
    }
    return mask;
}

static const uint32_t every = (1u << ARRAY_COUNT(alphabet)) - 1;

static uint32_t set_draw(struct tree_pattern *pattern)
{
    bool negated = below(3) == 0;
    uint32_t mask = 0;
    put(pattern, negated ? "[^" : "[");
    for (uint32_t i = 0; i <= below(3); i++) {
        if (below(4) == 0) {
            static const char *const classes[] = {"\\d", "\\w", "\\s"};
            uint32_t class = below(3);
            put(pattern, classes[class]);
            mask |= mask_of(classes[class][1]);
        } else if (below(5) == 0) {
            put(pattern, "a-b");
            mask |= 3;
        } else {
            uint32_t c = below(ARRAY_COUNT(alphabet));
            put(pattern, alphabet[c].pattern);
            mask |= 1u << c;
        }
    }
    put(pattern, "]");
    return node(pattern, (struct tree){.kind = TREE_SET, .mask = negated ? every & ~mask : mask});
}

static uint32_t atom_draw(struct tree_pattern *pattern)
{
    static const char *const classes[] = {"\\d", "\\w", "\\s", "\\D", "\\W", "\\S"};
    uint32_t choice = below(10);
    if (choice < 6) {
        uint32_t c = below(ARRAY_COUNT(alphabet));
        put(pattern, alphabet[c].pattern);
        return node(pattern, (struct tree){.kind = TREE_SET, .mask = 1u << c});
    }
    if (choice == 6) {
        put(pattern, ".");
        return node(pattern, (struct tree){.kind = TREE_SET, .mask = mask_of('.')});
    }
    if (choice == 7) {
        return set_draw(pattern);
    }
    uint32_t class = below(ARRAY_COUNT(classes));
    put(pattern, classes[class]);
    uint32_t mask = mask_of((char)(classes[class][1] | 0x20));
    return node(pattern, (struct tree){.kind = TREE_SET, .mask = class < 3 ? mask : every & ~mask});
}

static uint32_t pattern_draw(struct tree_pattern *pattern, uint32_t depth);

static uint32_t repeat_draw(struct tree_pattern *pattern, uint32_t of)
{
    static const struct {
        const char *text;
        uint32_t least;
        uint32_t most;
    } repeats[] = {{"*", 0, UINT32_MAX},  {"+", 1, UINT32_MAX},    {"?", 0, 1},
                   {"{2}", 2, 2},         {"{2,}", 2, UINT32_MAX}, {"{1,3}", 1, 3},
                   {"*?", 0, UINT32_MAX}, {"{0,2}?", 0, 2}};
    uint32_t choice = below(ARRAY_COUNT(repeats));
    put(pattern, repeats[choice].text);
    return node(pattern, (struct tree){.kind = TREE_REPEAT,
                                       .left = of,
                                       .least = repeats[choice].least,
                                       .most = repeats[choice].most});
}

static uint32_t part_draw(struct tree_pattern *pattern, uint32_t depth)
{
    static const char *const anchors[] = {"^", "$", "\\b", "\\B"};
    uint32_t choice = below(12);
    if (choice == 0) {
        uint32_t anchor = below(ARRAY_COUNT(anchors));
        put(pattern, anchors[anchor]);
        return node(pattern, (struct tree){.kind = (enum tree_kind)(TREE_START + anchor)});
    }
    uint32_t at;
    if (choice <= 3 && depth > 0) {
        static const char *const opens[] = {"(", "(?:", "(?P<x1>"};
        put(pattern, opens[below(3)]);
        at = pattern_draw(pattern, depth - 1);
        put(pattern, ")");
    } else {
        at = atom_draw(pattern);
    }
    return below(3) == 0 ? repeat_draw(pattern, at) : at;
}

static uint32_t pattern_draw(struct tree_pattern *pattern, uint32_t depth)
{
    uint32_t at = part_draw(pattern, depth);
    for (uint32_t i = below(3); i > 0; i--) {
        uint32_t right = part_draw(pattern, depth);
        at = node(pattern, (struct tree){.kind = TREE_BOTH, .left = at, .right = right});
    }
    if (below(4) == 0) {
        put(pattern, "|");
        uint32_t right = part_draw(pattern, depth);
        at = node(pattern, (struct tree){.kind = TREE_EITHER, .left = at, .right = right});
    }
    return at;
}

static uint32_t border_places(const struct text *text)
{
    uint32_t places = 0;
    for (uint32_t i = 0; i <= text->count; i++) {
        bool before = i > 0 && alphabet[text->character[i - 1]].word;
        bool after = i < text->count && alphabet[text->character[i]].word;
        places |= (uint32_t)(before != after) << i;
    }
    return places;
}

/* Where the tree may end that begins at one of the places. */
static uint32_t ends_of(const struct tree_pattern *pattern, uint32_t at, const struct text *text,
                        uint32_t places)
{
    const struct tree *tree = &pattern->tree[at];
    uint32_t all = (2u << text->count) - 1;
    uint32_t ends = 0;
    switch (tree->kind) {
    case TREE_SET:
        for (uint32_t i = 0; i < text->count; i++) {
            bool takes = (places >> i & 1) != 0 && (tree->mask >> text->character[i] & 1) != 0;
            ends |= (uint32_t)takes << (i + 1);
        }
        return ends;
    case TREE_BOTH:
        return ends_of(pattern, tree->right, text, ends_of(pattern, tree->left, text, places));
    case TREE_EITHER:
        return ends_of(pattern, tree->left, text, places) |
               ends_of(pattern, tree->right, text, places);
    case TREE_REPEAT:
        for (uint32_t i = 0; i <= tree->least + TEXT_PLACES && i <= tree->most; i++) {
            ends |= i >= tree->least ? places : 0;
            places = ends_of(pattern, tree->left, text, places);
        }
        return ends;
    case TREE_START:
        return places & 1;
    case TREE_END:
        return places & 1u << text->count;
    case TREE_BORDER:
        return places & border_places(text);
    case TREE_NO_BORDER:
        return places & all & ~border_places(text);
    }
    return 0;
}

static void text_draw(struct text *text)
{
    text->size = 0;
    text->count = 1 + below(TEXT_PLACES - 1);
    uint32_t kinds = 1 + below(ARRAY_COUNT(alphabet));
    for (uint32_t i = 0; i < text->count; i++) {
        text->character[i] = (uint8_t)below(below(8) == 0 ? ARRAY_COUNT(alphabet) : kinds);
        uint32_t size = (uint32_t)strlen(alphabet[text->character[i]].text);
        memcpy(text->bytes + text->size, alphabet[text->character[i]].text, size);
        text->size += size;
    }
}

struct bench {
    struct pattern_set *set;
    struct pattern_scratch *scratch;
    char regex[SET_PATTERNS][REGEX_SIZE_MAX];
    struct pattern_source source[SET_PATTERNS];
};

static void bench_open(struct bench *bench, uint32_t count)
{
    char error[PATTERN_ERROR_SIZE_MAX];
    uint32_t index;
    if (pattern_set_open(bench->source, count, &bench->set, &index, error) != RESULT_OK) {
        fail_msg("%s: %s", index < count ? bench->source[index].regex : "(all)", error);
    }
    assert_int_equal(pattern_scratch_open(&bench->set, 1, &bench->scratch), RESULT_OK);
}

static void bench_close(struct bench *bench)
{
    pattern_scratch_close(bench->scratch);
    pattern_set_close(bench->set);
}

static bool matches(const struct bench *bench, uint32_t number, const char *text, uint32_t size)
{
    uint64_t bits = 0;
    pattern_scan(bench->set, bench->scratch, bench->source[number].field, text, size, &bits);
    return (bits >> number & 1) != 0;
}

/* Hyperscan takes anchors at the ends of a pattern only, and nothing that can match no text; what
 * it refuses is drawn again. */
static bool is_refused(const char *regex)
{
    char error[PATTERN_ERROR_SIZE_MAX];
    struct pattern_set *set;
    uint32_t index;
    const struct pattern_source source = {.regex = regex, .utf8 = true};
    if (pattern_set_open(&source, 1, &set, &index, error) == RESULT_OK) {
        pattern_set_close(set);
        return false;
    }
    if (strstr(error, "anchor") == NULL && strstr(error, "can never match") == NULL) {
        fail_msg("%s: %s", regex, error);
    }
    return true;
}

static void a_regex_matches_where_its_tree_does(void **state)
{
    (void)state;
    static struct bench bench;
    static struct tree_pattern pattern[SET_PATTERNS];
    uint32_t matched = 0;
    for (uint32_t round = 0; round < SETS; round++) {
        uint32_t root[SET_PATTERNS];
        for (uint32_t i = 0; i < SET_PATTERNS; i++) {
            struct regex_error error;
            pattern[i].tree_count = 0;
            pattern[i].size = 0;
            root[i] = pattern_draw(&pattern[i], 2);
            if (pattern[i].size > REGEX_TEXT_MAX ||
                !regex_from_text(pattern[i].text, pattern[i].size, bench.regex[i], &error) ||
                is_refused(bench.regex[i])) {
                i--;
                continue;
            }
            bench.source[i] = (struct pattern_source){
                .regex = bench.regex[i], .number = i, .field = i % 3, .utf8 = true};
        }
        bench_open(&bench, SET_PATTERNS);
        for (uint32_t t = 0; t < SET_TEXTS; t++) {
            struct text text;
            text_draw(&text);
            for (uint32_t i = 0; i < SET_PATTERNS; i++) {
                uint32_t all = (2u << text.count) - 1;
                bool expected = ends_of(&pattern[i], root[i], &text, all) != 0;
                matched += expected ? 1 : 0;
                if (matches(&bench, i, text.bytes, text.size) != expected) {
                    fail_msg("%s (%s) and `%.*s`: expected %d", pattern[i].text, bench.regex[i],
                             (int)text.size, text.bytes, expected);
                }
            }
        }
        bench_close(&bench);
    }
    /* A test that draws nothing but misses would prove nothing. */
    assert_in_range(matched, SETS * SET_PATTERNS * SET_TEXTS / 10,
                    SETS * SET_PATTERNS * SET_TEXTS * 9 / 10);
}

static uint32_t like_draw(char out[REGEX_TEXT_MAX])
{
    static const char *const parts[] = {"%",   "%",    "_",  "_",        "a",   "b", "\\%",
                                        "\\_", "\\\\", "\n", "\xc3\xa9", "\\a", "."};
    uint32_t size = 0;
    for (uint32_t i = below(8); i > 0; i--) {
        const char *part = parts[below(ARRAY_COUNT(parts))];
        memcpy(out + size, part, strlen(part));
        size += (uint32_t)strlen(part);
    }
    return size;
}

/* Broken characters too: what producers send need be no UTF-8. */
static uint32_t bytes_draw(char out[TEXT_SIZE_MAX])
{
    static const char *const parts[] = {"a",  "b",        "%",    "_",    "\\",
                                        "\n", "\xc3\xa9", "\xc3", "\xa9", "."};
    uint32_t kinds = 1 + below(ARRAY_COUNT(parts));
    uint32_t size = 0;
    for (uint32_t i = below(10); i > 0; i--) {
        const char *part = parts[below(kinds)];
        memcpy(out + size, part, strlen(part));
        size += (uint32_t)strlen(part);
    }
    return size;
}

static void like_is_what_like_matches_says(void **state)
{
    (void)state;
    static struct bench bench;
    uint32_t matched = 0;
    for (uint32_t round = 0; round < SETS; round++) {
        char like[SET_PATTERNS][REGEX_TEXT_MAX];
        uint32_t like_size[SET_PATTERNS];
        for (uint32_t i = 0; i < SET_PATTERNS; i++) {
            like_size[i] = like_draw(like[i]);
            assert_true(regex_from_like(like[i], like_size[i], bench.regex[i]));
            bench.source[i] = (struct pattern_source){.regex = bench.regex[i], .number = i};
        }
        bench_open(&bench, SET_PATTERNS);
        for (uint32_t t = 0; t < SET_TEXTS; t++) {
            char text[TEXT_SIZE_MAX];
            uint32_t size = bytes_draw(text);
            for (uint32_t i = 0; i < SET_PATTERNS; i++) {
                bool expected = like_matches(text, size, like[i], like_size[i]);
                matched += expected ? 1 : 0;
                if (matches(&bench, i, text, size) != expected) {
                    fail_msg("`%.*s` (%s) and `%.*s`: expected %d", (int)like_size[i], like[i],
                             bench.regex[i], (int)size, text, expected);
                }
            }
        }
        bench_close(&bench);
    }
    assert_true(matched > SETS * SET_PATTERNS * SET_TEXTS / 20);
}

int main(void)
{
    const char *given = getenv("SEED");
    uint64_t seed = given == NULL ? 1 : strtoull(given, NULL, 10);
    printf("SEED=%" PRIu64 "\n", seed);
    random_seed(&draws, seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(like_is_what_like_matches_says),
        cmocka_unit_test(a_regex_matches_where_its_tree_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
