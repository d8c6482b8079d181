#include "dataplane/feature/text_parts.h"

#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Behind the next space, or end. */
static const char *word_skip(const char *at, const char *end)
{
    while (at < end && *at != ' ') {
        at++;
    }
    return at < end ? at + 1 : end;
}

/* [id name="value"...]*; in values `\` escapes `"`, `\` and `]`. RFC 5424 section 6.3. */
static const char *structured_data_skip(const char *at, const char *end)
{
    if (at < end && *at == '-') {
        return at + 1;
    }
    if (at == end || *at != '[') {
        return NULL;
    }
    bool quoted = false;
    bool inside = true;
    for (at++; at < end; at++) {
        if (quoted && *at == '\\') {
            at++;
        } else if (*at == '"') {
            quoted = !quoted;
        } else if (*at == ']' && !quoted) {
            inside = at + 1 < end && at[1] == '[';
            if (!inside) {
                return at + 1;
            }
            at++;
        }
    }
    return NULL;
}

/* VERSION SP TIMESTAMP SP HOSTNAME SP APP-NAME SP PROCID SP MSGID SP STRUCTURED-DATA [SP MSG]. */
static const char *rfc5424_skip(const char *at, const char *end)
{
    for (uint32_t words = 0; words < 6; words++) {
        at = word_skip(at, end);
    }
    at = structured_data_skip(at, end);
    if (at == NULL) {
        return NULL;
    }
    if (at < end && *at == ' ') {
        at++;
    }
    if (end - at >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0) {
        at += 3;
    }
    return at;
}

/* "Mmm dd hh:mm:ss ", the only start of an RFC 3164 header. */
static bool is_rfc3164_time(const char *at, const char *end)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (end - at < 16 || at[3] != ' ' || at[6] != ' ' || at[9] != ':' || at[12] != ':' ||
        at[15] != ' ') {
        return false;
    }
    for (uint32_t m = 0; m < 12; m++) {
        if (memcmp(at, months + 3 * (uint64_t)m, 3) == 0) {
            return is_digit(at[5]) && is_digit(at[8]) && is_digit(at[11]) && is_digit(at[14]);
        }
    }
    return false;
}

/* A word that ends with a colon is the tag; senders leave host or tag out. */
static const char *rfc3164_skip(const char *at, const char *end)
{
    at += 16;
    for (uint32_t words = 0; words < 2; words++) {
        const char *next = word_skip(at, end);
        bool is_tag = next - at >= 2 && next[-1] == ' ' && next[-2] == ':';
        if (is_tag) {
            return next;
        }
        if (words == 0) {
            at = next;
        }
    }
    return at;
}

const char *text_syslog_skip(const char *at, const char *end)
{
    uint32_t digits = 0;
    at++;
    while (at < end && is_digit(*at) && digits < 4) {
        at++;
        digits++;
    }
    if (digits == 0 || digits > 3 || at == end || *at != '>') {
        return NULL;
    }
    at++;
    if (end - at >= 2 && at[0] == '1' && at[1] == ' ') {
        at = rfc5424_skip(at, end);
    } else if (is_rfc3164_time(at, end)) {
        at = rfc3164_skip(at, end);
    }
    while (at != NULL && at < end && *at == ' ') {
        at++;
    }
    return at;
}
