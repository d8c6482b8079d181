/* The tag of a message or an acknowledgement: SipHash-2-4 over the whole datagram, with the eight
 * bytes of the tag itself (from byte 8) taken as zeros, under the producer's key of the key epoch
 * that the datagram names. docs/formats/wire.md has an example to compare with. */
#pragma once

#include <stdint.h>

#include "dataplane/base/siphash.h"

/* Where the fixed part of a message has what authentication needs (wire.h has the whole). */
#define WIRE_TAG_BYTES        8u
#define WIRE_KEY_EPOCH_OFFSET 57u

/* size >= 16: the bytes up to the end of the tag. Returns the tag as a number; it stands
 * little-endian. data is not changed. */
uint64_t wire_tag(const struct siphash_key *key, const uint8_t *data, uint32_t size);
/* Writes the tag into the datagram. */
void wire_tag_write(const struct siphash_key *key, uint8_t *data, uint32_t size);
