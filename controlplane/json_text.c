#include "controlplane/json_text.h"

#include <string.h>

#include "drivers/memory.h"

json_t *json_text(const char *text)
{
    json_t *string = json_string(text);
    if (string != NULL) {
        return string;
    }
    size_t size = strlen(text);
    char *ascii = heap_alloc(size + 1);
    if (ascii == NULL) {
        return NULL;
    }
    for (size_t i = 0; i <= size; i++) {
        ascii[i] = ((unsigned char)text[i] & 0x80) != 0 ? '?' : text[i];
    }
    string = json_string(ascii);
    heap_free(ascii);
    return string;
}
