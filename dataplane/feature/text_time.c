#include "dataplane/feature/text_time.h"

#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"

struct time_parts {
    uint32_t year;
    uint32_t month;
    uint32_t day;
    uint32_t hour;
    uint32_t minute;
    uint32_t second;
};

struct time_cursor {
    const char *at;
    const char *end;
};

static bool digits_read(struct time_cursor *cursor, uint32_t count, uint32_t *out_value)
{
    if (cursor->end - cursor->at < (int64_t)count) {
        return false;
    }
    uint32_t value = 0;
    for (uint32_t i = 0; i < count; i++) {
        char c = *cursor->at++;
        if (c < '0' || c > '9') {
            return false;
        }
        value = value * 10 + (uint32_t)(c - '0');
    }
    *out_value = value;
    return true;
}

static bool character_read(struct time_cursor *cursor, char expected)
{
    if (cursor->at == cursor->end || *cursor->at != expected) {
        return false;
    }
    cursor->at++;
    return true;
}

/* Days since 1970-01-01. Source: Hinnant, "chrono-compatible low-level date algorithms",
 * days_from_civil. */
static int64_t days_of(uint32_t year, uint32_t month, uint32_t day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t month_from_march = ((int64_t)month + 9) % 12;
    int64_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static uint32_t month_days(uint32_t year, uint32_t month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return month == 2 && leap ? 29u : days[month - 1];
}

static bool parts_to_seconds(const struct time_parts *parts, int64_t *out_seconds)
{
    if (parts->month < 1 || parts->month > 12 || parts->day < 1 ||
        parts->day > month_days(parts->year, parts->month) || parts->hour > 23 ||
        parts->minute > 59 || parts->second > 60) {
        return false;
    }
    int64_t days = days_of(parts->year, parts->month, parts->day);
    *out_seconds = ((days * 24 + parts->hour) * 60 + parts->minute) * 60 + parts->second;
    return true;
}

/* Digits behind the point: at least one; those beyond nine are cut. */
static bool fraction_read(struct time_cursor *cursor, uint32_t *out_nanoseconds)
{
    uint32_t nanoseconds = 0;
    uint32_t count = 0;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
        if (count < 9) {
            nanoseconds = nanoseconds * 10 + (uint32_t)(*cursor->at - '0');
        }
        count++;
        cursor->at++;
    }
    for (uint32_t i = count; i < 9; i++) {
        nanoseconds *= 10;
    }
    *out_nanoseconds = nanoseconds;
    return count > 0;
}

/* Z, an offset, or nothing. */
static bool offset_read(struct time_cursor *cursor, int64_t *out_seconds)
{
    *out_seconds = 0;
    if (cursor->at == cursor->end) {
        return true;
    }
    char c = *cursor->at++;
    if (c == 'Z' || c == 'z') {
        return true;
    }
    uint32_t hours;
    uint32_t minutes;
    if ((c != '+' && c != '-') || !digits_read(cursor, 2, &hours) || !character_read(cursor, ':') ||
        !digits_read(cursor, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    int64_t seconds = (int64_t)hours * 3600 + minutes * 60;
    *out_seconds = c == '-' ? -seconds : seconds;
    return true;
}

bool text_time_read_rfc3339(const char *text, uint32_t size, struct text_time *out_time)
{
    struct time_cursor cursor = {.at = text, .end = text + size};
    struct time_parts parts;
    struct text_time time = {0};
    int64_t offset;
    if (!digits_read(&cursor, 4, &parts.year) || !character_read(&cursor, '-') ||
        !digits_read(&cursor, 2, &parts.month) || !character_read(&cursor, '-') ||
        !digits_read(&cursor, 2, &parts.day)) {
        return false;
    }
    if (!character_read(&cursor, 'T') && !character_read(&cursor, 't') &&
        !character_read(&cursor, ' ')) {
        return false;
    }
    if (!digits_read(&cursor, 2, &parts.hour) || !character_read(&cursor, ':') ||
        !digits_read(&cursor, 2, &parts.minute) || !character_read(&cursor, ':') ||
        !digits_read(&cursor, 2, &parts.second)) {
        return false;
    }
    if (character_read(&cursor, '.') && !fraction_read(&cursor, &time.nanoseconds)) {
        return false;
    }
    if (!offset_read(&cursor, &offset) || cursor.at != cursor.end ||
        !parts_to_seconds(&parts, &time.seconds)) {
        return false;
    }
    time.seconds -= offset;
    *out_time = time;
    return true;
}

static bool part_read(char part, struct time_cursor *cursor, struct time_parts *parts)
{
    switch (part) {
    case 'Y':
        return digits_read(cursor, 4, &parts->year);
    case 'm':
        return digits_read(cursor, 2, &parts->month);
    case 'd':
        return digits_read(cursor, 2, &parts->day);
    case 'H':
        return digits_read(cursor, 2, &parts->hour);
    case 'M':
        return digits_read(cursor, 2, &parts->minute);
    case 'S':
        return digits_read(cursor, 2, &parts->second);
    case '%':
        return character_read(cursor, '%');
    default:
        return false;
    }
}

bool text_time_read_format(const char *format, const char *text, uint32_t size,
                           struct text_time *out_time)
{
    struct time_cursor cursor = {.at = text, .end = text + size};
    struct time_parts parts = {.year = 1970, .month = 1, .day = 1};
    for (const char *f = format; *f != '\0'; f++) {
        bool fits = *f == '%' ? part_read(*++f, &cursor, &parts) : character_read(&cursor, *f);
        if (!fits) {
            return false;
        }
    }
    struct text_time time = {0};
    if (cursor.at != cursor.end || !parts_to_seconds(&parts, &time.seconds)) {
        return false;
    }
    *out_time = time;
    return true;
}

static int64_t units_per_second(enum time_unit unit)
{
    switch (unit) {
    case TIME_UNIT_us:
        return US_PER_SECOND;
    case TIME_UNIT_ms:
        return US_PER_SECOND / US_PER_MS;
    case TIME_UNIT_s:
        return 1;
    case TIME_UNIT_ns:
        return NS_PER_SECOND;
    }
    UNREACHABLE();
}

bool text_time_to_unit(struct text_time time, enum time_unit unit, int64_t *out_count)
{
    int64_t per_second = units_per_second(unit);
    __int128 count = (__int128)time.seconds * per_second +
                     time.nanoseconds / (uint32_t)(NS_PER_SECOND / per_second);
    *out_count = (int64_t)count;
    return count >= INT64_MIN && count <= INT64_MAX;
}

struct text_time text_time_of_unit(int64_t count, enum time_unit unit)
{
    int64_t per_second = units_per_second(unit);
    int64_t seconds = count / per_second;
    int64_t rest = count % per_second;
    if (rest < 0) {
        seconds--;
        rest += per_second;
    }
    return (struct text_time){
        .seconds = seconds,
        .nanoseconds = (uint32_t)(rest * (NS_PER_SECOND / per_second)),
    };
}
