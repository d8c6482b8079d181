#include "dataplane/feature/shift.h"

#include <string.h>

static bool enum_is(const struct enum_texts *enums, const struct schema_field *field,
                    uint32_t place, int64_t value, const uint8_t *bytes)
{
    return field->type == FIELD_TYPE_string
               ? strncmp(enum_text_at(enums, field, place), (const char *)bytes, field->size) == 0
               : field->enum_number[place] == value;
}

uint32_t shift_bin_of(const struct enum_texts *enums, const struct schema_field *field,
                      int64_t value, const uint8_t *bytes)
{
    if (field->enum_count == 0) {
        return shift_bin_of_number(value, field_type_is_unsigned(field->type));
    }
    uint32_t place = 0;
    while (place < field->enum_count && !enum_is(enums, field, place, value, bytes)) {
        place++;
    }
    return place;
}

bool shift_field_has_bins(const struct schema_field *field)
{
    return field->type != FIELD_TYPE_timestamp &&
           (field->type != FIELD_TYPE_string || field->enum_count > 0);
}
