#include "dataplane/feature/wire_tag.h"

#include "dataplane/base/assert.h"
#include "dataplane/feature/wire_ack.h"

uint64_t wire_tag(const struct siphash_key *key, const uint8_t *data, uint32_t size)
{
    ASSERT(size >= WIRE_TAG_OFFSET + WIRE_TAG_BYTES);
    return siphash_tag(key, data, size, WIRE_TAG_OFFSET);
}

void wire_tag_write(const struct siphash_key *key, uint8_t *data, uint32_t size)
{
    uint64_t tag = wire_tag(key, data, size);
    memcpy(data + WIRE_TAG_OFFSET, &tag, sizeof(tag));
}
