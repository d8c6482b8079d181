/* A catalog as it stands in the log and in manifests: any bytes. What decodes encodes to the same
 * bytes, and shows any event of its streams. */
#include <string.h>

#include "controlplane/event_show.h"
#include "dataplane/base/assert.h"
#include "dataplane/feature/catalog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The catalog's own bytes are an event of each stream. */
static void events_show(const struct catalog *catalog, const uint8_t *data, size_t size)
{
    struct event_show *show;
    enum result result = event_show_open(&show);
    ASSERT(result == RESULT_OK);
    for (uint32_t s = 0; s < catalog->stream_count; s++) {
        const struct catalog_stream *stream = &catalog->stream[s];
        uint16_t event_size = (uint16_t)(size < MESSAGE_SIZE_MAX ? size : MESSAGE_SIZE_MAX);
        uint16_t version = (uint16_t)(1 + size % 3);
        bool taken = event_show_take(show, stream, version, data, event_size);
        for (uint32_t f = 0; taken && f < stream->field_count; f++) {
            struct buffer text;
            buffer_init(&text, 0);
            event_show_text(show, f, &text);
            ASSERT(text.size > 0);
            ASSERT(!text.failed);
            buffer_deinit(&text);
            json_t *value = event_show_json(show, f);
            ASSERT(value != NULL);
            json_decref(value);
        }
    }
    event_show_close(show);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct catalog catalog;
    static uint8_t again[CATALOG_BYTES_MAX];
    if (size <= UINT32_MAX && catalog_decode(data, (uint32_t)size, &catalog) == RESULT_OK) {
        ASSERT(catalog_encode(&catalog, again, sizeof(again)) == size);
        ASSERT(memcmp(again, data, size) == 0);
        events_show(&catalog, data, size);
    }
    return 0;
}
