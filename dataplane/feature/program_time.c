/* Parts of times. Days to civil dates: Howard Hinnant, "chrono-compatible low-level date
 * algorithms", civil_from_days. */
#include "dataplane/base/assert.h"
#include "dataplane/base/units.h"
#include "dataplane/feature/program_inside.h"

#define SECONDS_PER_DAY INT64_C(86400)

struct civil {
    int64_t year;
    uint32_t month;
    uint32_t day;
};

static struct civil civil_of(int64_t days)
{
    days += 719468; /* From 0000-03-01. */
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    uint32_t of_era = (uint32_t)(days - era * 146097);
    uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint32_t month = (5 * of_year + 2) / 153;
    struct civil civil = {.month = month < 10 ? month + 3 : month - 9,
                          .day = of_year - (153 * month + 2) / 5 + 1};
    civil.year = (int64_t)year + era * 400 + (civil.month <= 2 ? 1 : 0);
    return civil;
}

/* As floor_to() / step, of the least int64 too, where floor_to() would be below it. */
static int64_t floor_of(int64_t value, int64_t step)
{
    return value / step - (value % step < 0 ? 1 : 0);
}

static int64_t part_of(int64_t time_us, enum expression_function part)
{
    int64_t seconds = floor_of(time_us, US_PER_SECOND);
    int64_t days = floor_of(seconds, SECONDS_PER_DAY);
    int64_t of_day = seconds - days * SECONDS_PER_DAY;
    switch ((uint32_t)part) {
    case FUNCTION_year:
        return civil_of(days).year;
    case FUNCTION_month:
        return civil_of(days).month;
    case FUNCTION_day:
        return civil_of(days).day;
    case FUNCTION_hour:
        return of_day / 3600;
    case FUNCTION_minute:
        return of_day / 60 % 60;
    case FUNCTION_second:
        return of_day % 60;
    case FUNCTION_day_of_week:
        return (days % 7 + 7 + 3) % 7 + 1; /* 1970-01-01 was a Thursday. */
    default:
        UNREACHABLE();
    }
}

void program_step_time_part(struct program_run *run)
{
    for (uint32_t i = 0; i < run->rows; i++) {
        run->out[i] = part_of(run->a[i], (enum expression_function)run->immediate);
    }
}
