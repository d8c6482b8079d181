/* CRC-32C of what lies on disk: finds accidents, not attackers.
 *
 * Castagnoli's polynomial 0x1edc6f41, reflected, with 0xffffffff before and after, so calls chain:
 * checksum_crc32c(checksum_crc32c(0, a), b) is that of a and b put together. Check value of
 * "123456789": 0xe3069283. Source: RFC 3720 (iSCSI), appendix B.4.
 *
 * The instruction of SSE4.2 answers after three cycles and starts one per cycle: long inputs run as
 * three streams side by side, put together by matrices over GF(2) (Gopal et al., "Fast CRC
 * computation for iSCSI polynomial using CRC32 instruction", Intel, 2011). */
#pragma once

#include <stdint.h>

/* crc: 0, or what an earlier call returned. data may have any alignment. */
uint32_t checksum_crc32c(uint32_t crc, const void *data, uint64_t size);
/* Of data that holds this very sum at offset: those four bytes count as zeros. */
uint32_t checksum_crc32c_around(const void *data, uint64_t size, uint32_t offset);
