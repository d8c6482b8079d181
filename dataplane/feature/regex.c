#include "dataplane/feature/regex.h"

#include <string.h>

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/base/utf8.h"

struct writer {
    char *out; /* NULL: it is only looked whether it can be done. */
    uint32_t size;
};

static void write(struct writer *writer, const char *text, uint32_t size)
{
    ASSERT(writer->size + size < REGEX_SIZE_MAX); /* Every byte of a pattern becomes at most 40. */
    if (writer->out != NULL) {
        memcpy(writer->out + writer->size, text, size);
        writer->out[writer->size + size] = '\0';
    }
    writer->size += size;
}

static void write_text(struct writer *writer, const char *text)
{
    write(writer, text, (uint32_t)strlen(text));
}

static void write_hex(struct writer *writer, char byte)
{
    static const char digits[] = "0123456789abcdef";
    const char text[4] = {'\\', 'x', digits[(uint8_t)byte >> 4], digits[(uint8_t)byte & 15]};
    write(writer, text, sizeof(text));
}

/* A run of % and _: so many characters, then any number of them where there was a %. The first one
 * may begin in the middle of a broken character, as the text itself may. */
static void write_wild(struct writer *writer, uint32_t characters, bool any, bool last)
{
    if (characters > 0) {
        write_text(writer, ".[\\x80-\\xbf]*");
    }
    for (uint32_t i = 1; i < characters; i++) {
        write_text(writer, "[^\\x80-\\xbf][\\x80-\\xbf]*");
    }
    if (any && !last) {
        write_text(writer, ".*");
    }
}

bool regex_from_like(const char *like, uint32_t size, char out[REGEX_SIZE_MAX])
{
    if (size > REGEX_TEXT_MAX || !utf8_is_valid(like, size)) {
        return false;
    }
    struct writer writer = {.out = out};
    bool open = false; /* Ends with a %. */
    write_text(&writer, "\\A");
    for (uint32_t at = 0; at < size;) {
        uint32_t characters = 0;
        bool any = false;
        while (at < size && (like[at] == '%' || like[at] == '_')) {
            characters += like[at] == '_' ? 1 : 0;
            any |= like[at++] == '%';
        }
        open = any;
        write_wild(&writer, characters, any, at == size);
        if (at < size && (characters == 0 && !any)) {
            at += like[at] == '\\' && at + 1 < size ? 1 : 0;
            write_hex(&writer, like[at++]);
        }
    }
    if (!open) {
        write_text(&writer, "\\z");
    }
    return true;
}

/* A pattern on its way. */
struct walk {
    const char *text;
    uint32_t size;
    uint32_t at;
    struct writer writer;
    struct regex_error *error;
    uint32_t depth;
    uint64_t positions[REGEX_DEPTH_MAX + 1]; /* Of each open group, so far. */
    uint64_t last; /* Of what a repeat would repeat; 0: there is nothing. */
};

static bool fail(struct walk *walk, uint32_t at, const char *why)
{
    *walk->error = (struct regex_error){.at = at, .why = why};
    return false;
}

static bool is_next(const struct walk *walk, const char *text)
{
    uint32_t size = (uint32_t)strlen(text);
    return walk->size - walk->at >= size && memcmp(walk->text + walk->at, text, size) == 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool positions_add(struct walk *walk, uint64_t count)
{
    walk->positions[walk->depth] += count;
    return walk->positions[walk->depth] <= REGEX_POSITIONS_MAX ||
           fail(walk, walk->at,
                "written out it has more than 1000 characters; fewer or smaller repeats are "
                "allowed");
}

/* One character, class or `.`: what a repeat may follow. */
static bool atom_end(struct walk *walk)
{
    walk->last = 1;
    return positions_add(walk, 1);
}

static uint32_t hex_value(char c)
{
    if (is_digit(c)) {
        return (uint32_t)(c - '0');
    }
    char small = (char)(c | 0x20);
    return small >= 'a' && small <= 'f' ? (uint32_t)(small - 'a') + 10 : 16;
}

/* \x7f and \x{20ac}; at is at the x. */
static bool hex_take(struct walk *walk)
{
    static const char why[] = "\\x has two hexadecimal digits, or a code point in { }";
    uint32_t from = walk->at++;
    bool braces = is_next(walk, "{");
    uint32_t digits = 0;
    uint32_t code = 0;
    walk->at += braces ? 1 : 0;
    while (walk->at < walk->size && hex_value(walk->text[walk->at]) < 16 &&
           digits < (braces ? 6u : 2u)) {
        code = code << 4 | hex_value(walk->text[walk->at++]);
        digits++;
    }
    if (braces ? digits == 0 || !is_next(walk, "}") : digits != 2) {
        return fail(walk, from - 1, why);
    }
    walk->at += braces ? 1 : 0;
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
        return fail(walk, from - 1, why);
    }
    write_text(&walk->writer, "\\");
    write(&walk->writer, walk->text + from, walk->at - from);
    return true;
}

/* What stands behind a backslash for one character, inside of [ ] and outside. */
static bool escape_character(struct walk *walk)
{
    char c = walk->text[walk->at];
    if (c == 'x') {
        return hex_take(walk);
    }
    if (is_letter(c) && strchr("tnrf", c) != NULL) {
        const char same[2] = {'\\', c};
        write(&walk->writer, same, sizeof(same));
    } else if (c == 'v' || c == 'a') {
        write_text(&walk->writer, c == 'v' ? "\\x0b" : "\\x07");
    } else if (!is_letter(c) && !is_digit(c) && (uint8_t)c < 0x7f && c > ' ') {
        const char same[2] = {'\\', c};
        write(&walk->writer, same, sizeof(same));
    } else {
        return fail(walk, walk->at - 1,
                    "\\ stands before d w s D W S b B A z t n r f v a x and punctuation only");
    }
    walk->at++;
    return true;
}

static bool escape_take(struct walk *walk)
{
    if (++walk->at == walk->size) {
        return fail(walk, walk->at - 1, "ends with a \\; \\\\ is one");
    }
    char c = walk->text[walk->at];
    const char same[2] = {'\\', c};
    if (is_letter(c) && strchr("bBAz", c) != NULL) {
        walk->at++;
        walk->last = 0;
        write(&walk->writer, same, sizeof(same));
        return true;
    }
    if (is_letter(c) && strchr("dDwW", c) != NULL) {
        walk->at++;
        write(&walk->writer, same, sizeof(same));
        return atom_end(walk);
    }
    if (c == 's' || c == 'S') {
        walk->at++;
        write_text(&walk->writer, c == 's' ? "[\\t\\n\\f\\r ]" : "[^\\t\\n\\f\\r ]");
        return atom_end(walk);
    }
    return escape_character(walk) && atom_end(walk);
}

/* [:alpha:] and its like; false: it is none, and nothing was taken. */
static bool named_class_take(struct walk *walk)
{
    static const char *const names[] = {"[:alnum:]", "[:alpha:]", "[:blank:]", "[:cntrl:]",
                                        "[:digit:]", "[:graph:]", "[:lower:]", "[:print:]",
                                        "[:punct:]", "[:upper:]", "[:word:]",  "[:xdigit:]"};
    for (uint32_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (is_next(walk, names[i])) {
            write_text(&walk->writer, names[i]);
            walk->at += (uint32_t)strlen(names[i]);
            return true;
        }
    }
    return false;
}

/* \d and its like inside of [ ]; false: it is none. */
static bool set_class_take(struct walk *walk)
{
    static const char *const from[] = {"\\d", "\\D", "\\w", "\\W", "\\s"};
    static const char *const to[] = {"\\d", "\\D", "\\w", "\\W", "\\t\\n\\f\\r "};
    for (uint32_t i = 0; i < ARRAY_COUNT(from); i++) {
        if (is_next(walk, from[i])) {
            write_text(&walk->writer, to[i]);
            walk->at += 2;
            return true;
        }
    }
    return named_class_take(walk);
}

/* One character of a set. */
static bool set_character_take(struct walk *walk)
{
    char c = walk->text[walk->at];
    if (c == '\\') {
        if (++walk->at == walk->size) {
            return fail(walk, walk->at - 1, "ends with a \\; \\\\ is one");
        }
        return escape_character(walk);
    }
    if (is_next(walk, "[:") || is_next(walk, "[.") || is_next(walk, "[=")) {
        return fail(walk, walk->at,
                    "in [ ], [ begins [:alnum:], [:alpha:], [:blank:], [:cntrl:], [:digit:], "
                    "[:graph:], [:lower:], [:print:], [:punct:], [:upper:], [:word:] or "
                    "[:xdigit:]; \\[ is itself");
    }
    if (c == '[' || c == ']' || c == '^' || c == '-' || c == '&' || c == '~') {
        write_text(&walk->writer, "\\");
    }
    write(&walk->writer, &c, 1);
    walk->at++;
    /* The rest of the character. */
    while (walk->at < walk->size && ((uint8_t)walk->text[walk->at] & 0xc0) == 0x80) {
        write(&walk->writer, walk->text + walk->at++, 1);
    }
    return true;
}

/* A character, a class, or a range of two characters. */
static bool set_item_take(struct walk *walk)
{
    bool is_class = set_class_take(walk);
    if (!is_class && !set_character_take(walk)) {
        return false;
    }
    if (!is_next(walk, "-") || walk->at + 1 >= walk->size || walk->text[walk->at + 1] == ']') {
        return true;
    }
    uint32_t at = walk->at++;
    write_text(&walk->writer, "-");
    if (is_class || set_class_take(walk)) {
        return fail(walk, at, "a range in [ ] has a character at each end; \\- is itself");
    }
    return set_character_take(walk);
}

static bool set_take(struct walk *walk)
{
    uint32_t from = walk->at++;
    write_text(&walk->writer, "[");
    if (is_next(walk, "^")) {
        write_text(&walk->writer, "^");
        walk->at++;
    }
    do {
        if (walk->at >= walk->size) {
            return fail(walk, from, "[ has no ]; \\[ is itself");
        }
        if (!set_item_take(walk)) {
            return false;
        }
    } while (!is_next(walk, "]"));
    walk->at++;
    write_text(&walk->writer, "]");
    return atom_end(walk);
}

static bool group_push(struct walk *walk, uint32_t from)
{
    if (walk->depth == REGEX_DEPTH_MAX) {
        return fail(walk, from, "more than 32 groups inside one another");
    }
    walk->positions[++walk->depth] = 0;
    walk->last = 0;
    return true;
}

/* (?i) (?s) (?is) (?i:; at is behind the ?. */
static bool flags_take(struct walk *walk, uint32_t from)
{
    uint32_t flags = walk->at;
    while (walk->at < walk->size && (walk->text[walk->at] == 'i' || walk->text[walk->at] == 's')) {
        walk->at++;
    }
    bool group = is_next(walk, ":");
    if (!group && (walk->at == flags || !is_next(walk, ")"))) {
        return fail(walk, from, "( ? is (?:, (?P<name>, (?i), (?s), (?i: or (?s: only");
    }
    write_text(&walk->writer, "(?");
    write(&walk->writer, walk->text + flags, ++walk->at - flags);
    walk->last = 0;
    return !group || group_push(walk, from);
}

static bool group_take(struct walk *walk)
{
    uint32_t from = walk->at++;
    if (!is_next(walk, "?")) {
        write_text(&walk->writer, "(?:");
        return group_push(walk, from);
    }
    walk->at++;
    if (!is_next(walk, "P<")) {
        return flags_take(walk, from);
    }
    uint32_t name = walk->at += 2;
    while (walk->at < walk->size &&
           (is_letter(walk->text[walk->at]) || walk->text[walk->at] == '_' ||
            (walk->at > name && is_digit(walk->text[walk->at])))) {
        walk->at++;
    }
    if (walk->at == name || !is_next(walk, ">")) {
        return fail(walk, from, "a name in (?P<name> has letters, digits and _");
    }
    walk->at++;
    write_text(&walk->writer, "(?:");
    return group_push(walk, from);
}

static bool group_end(struct walk *walk)
{
    if (walk->depth == 0) {
        return fail(walk, walk->at, ") has no (; \\) is itself");
    }
    walk->at++;
    write_text(&walk->writer, ")");
    uint64_t positions = walk->positions[walk->depth--];
    walk->last = positions;
    return positions_add(walk, positions);
}

/* A number below 10000; UINT32_MAX: there is none. */
static uint32_t number_take(struct walk *walk)
{
    uint32_t number = 0;
    uint32_t from = walk->at;
    while (walk->at < walk->size && walk->at - from < 4 && is_digit(walk->text[walk->at])) {
        number = number * 10 + (uint32_t)(walk->text[walk->at++] - '0');
    }
    return walk->at == from ? UINT32_MAX : number;
}

/* The repeat is taken; so often at most is it written out. */
static bool repeat_end(struct walk *walk, uint32_t from, uint32_t times)
{
    if (walk->last == 0) {
        return fail(walk, from, "there is nothing to repeat before it");
    }
    write(&walk->writer, walk->text + from, walk->at - from);
    if (is_next(walk, "?")) {
        walk->at++; /* Lazy: what matches is the same. */
    }
    uint64_t more = walk->last * (times > 0 ? times - 1 : 0);
    walk->last = 0;
    return positions_add(walk, more);
}

/* {n} {n,} {n,m}. */
static bool count_take(struct walk *walk)
{
    static const char why[] =
        "{ begins a repeat, {n}, {n,} or {n,m} with n <= m and m > 0; \\{ is itself";
    uint32_t from = walk->at++;
    uint32_t least = number_take(walk);
    uint32_t most = least;
    if (least == UINT32_MAX) {
        return fail(walk, from, why);
    }
    if (is_next(walk, ",")) {
        walk->at++;
        most = number_take(walk);
        most = most == UINT32_MAX && least == 0 ? 1 : most;
    }
    if (!is_next(walk, "}") || most < least || most == 0) {
        return fail(walk, from, why);
    }
    walk->at++;
    return repeat_end(walk, from, most == UINT32_MAX ? least : most);
}

static bool literal_take(struct walk *walk)
{
    char c = walk->text[walk->at];
    if (c == ']' || c == '}' || c == '#') {
        write_text(&walk->writer, "\\");
    }
    write(&walk->writer, &c, 1);
    walk->at++;
    while (walk->at < walk->size && ((uint8_t)walk->text[walk->at] & 0xc0) == 0x80) {
        write(&walk->writer, walk->text + walk->at++, 1);
    }
    return atom_end(walk);
}

static bool part_take(struct walk *walk)
{
    uint32_t from = walk->at;
    switch (walk->text[walk->at]) {
    case '\0':
        return fail(walk, from, "NUL ends a text, so none can hold it");
    case '\\':
        return escape_take(walk);
    case '[':
        return set_take(walk);
    case '(':
        return group_take(walk);
    case ')':
        return group_end(walk);
    case '{':
        return count_take(walk);
    case '*':
    case '+':
    case '?':
        walk->at++;
        return repeat_end(walk, from, 1);
    case '^':
    case '|':
        walk->at++;
        walk->last = 0;
        write(&walk->writer, walk->text + from, 1);
        return true;
    case '$':
        walk->at++;
        walk->last = 0;
        write_text(&walk->writer, "\\z");
        return true;
    case '.':
        walk->at++;
        write_text(&walk->writer, ".");
        return atom_end(walk);
    default:
        return literal_take(walk);
    }
}

bool regex_from_text(const char *text, uint32_t size, char out[REGEX_SIZE_MAX],
                     struct regex_error *out_error)
{
    struct walk walk = {.text = text, .size = size, .writer = {.out = out}, .error = out_error};
    if (size == 0) {
        return fail(&walk, 0, "an empty pattern matches every text");
    }
    if (size > REGEX_TEXT_MAX) {
        return fail(&walk, REGEX_TEXT_MAX, "a pattern has at most 256 bytes");
    }
    if (!utf8_is_valid(text, size)) {
        return fail(&walk, 0, "it is no UTF-8");
    }
    while (walk.at < size) {
        if (!part_take(&walk)) {
            return false;
        }
    }
    return walk.depth == 0 || fail(&walk, size, "a ( has no ); \\( is itself");
}
