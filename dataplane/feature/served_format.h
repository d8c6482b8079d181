/* Served answers on disk: what models were told, to be recomputed and compared, and to be joined
 * with labels. This comment is its specification. Numbers are little-endian; docs/formats/served.md
 * is the same for people.
 *
 * File `served-00000012.log`: a header, then blocks, each put behind the last one by one write.
 * Numbers go up; a process goes on in no file of another one.
 *
 * Header, 64 bytes:
 *    0 magic u64 | 8 format version u32 = 1 | 12 crc u32 of the 64 bytes, itself as zero
 *   16 store id 16 bytes | 32 number of the file u64 | 40 created i64 us | 48 zeros
 *
 * Block: 32 bytes of header, then records:
 *    0 magic u32 | 4 crc u32: CRC32C of all that follows | 8 size of the records u32
 *   12 count of records u32 | 16 number of the file u64 | 24 place of the block in the file u64
 *
 * Record: one answer of a service, one row of candidates. Its size is a multiple of 8.
 *    0 size u32 | 4 version of the service u16 | 6 reads u16
 *    8 moment i64: wall clock in us | 16 fingerprint of the plan u64 | 24 of the service u64
 *   32 items u16 | 34 request values u8 | 35 zero u8 | 36 row among the candidates u32
 *   40 name of the service
 *   then per read, one for each view: version u16 | time u8: 0 now, 1 LATEST, 2 AT | found u8
 *     | shard u16 | size of the key u16 | time of AT i64 (else 0) | known i64 | q i64 | LSN u64
 *     | name | key
 *   per value of the request: null u8 | size u16 | name | value as the client wrote it
 *   per item of the answer: status u8 | flags u8 | kind u8 | zero u8 | size u32 | name
 *     | value as printed
 *   zeros to a multiple of 8
 * Names are u8 length and bytes. `known`: the answer is of exactly the records of the read's shard
 * whose apply time is below. All of them were durable in the mirror when the block was written.
 *
 * A block that is not good, with no good one behind it in its file, is the torn end that a crash
 * left; else it is damage, and the blocks behind it are found again by their places. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/base/result.h"
#include "dataplane/feature/answer.h"
#include "dataplane/feature/limits.h"
#include "dataplane/feature/mirror_format.h"
#include "dataplane/feature/plan.h"
#include "dataplane/feature/row_read.h"

#define SERVED_FILE_MAGIC       UINT64_C(0x3144455652455346) /* "FSERVED1" */
#define SERVED_FORMAT_VERSION   1u
#define SERVED_FILE_HEADER      64u
#define SERVED_BLOCK_MAGIC      0x31565253u /* "SRV1" */
#define SERVED_BLOCK_HEADER     32u
#define SERVED_BLOCK_BYTES_MAX  (1 * MIB)
#define SERVED_RECORD_HEADER    40u
#define SERVED_RECORD_BYTES_MAX (256 * KIB) /* A longer answer is not recorded. */
#define SERVED_ALIGN            8u          /* Of blocks and records. */

struct served_file {
    uint8_t store_id[MIRROR_STORE_ID_BYTES];
    uint64_t number;
    int64_t created_us;
};

struct served_block {
    uint32_t size; /* Of the records. */
    uint32_t count;
    uint64_t file;
    uint64_t place;
};

/* Borrowed bytes. */
struct served_text {
    const char *data;
    uint32_t size;
};

/* What one view was asked for, and what its row was then. */
struct served_read {
    struct served_text view;
    struct served_text key; /* As key.h makes it; empty: there was none. */
    uint16_t version;       /* Of the view. */
    uint16_t shard;
    enum read_time time; /* As it was asked. */
    bool found;
    int64_t at_us; /* Of READ_AT. */
    int64_t known_us;
    int64_t q_us;
    uint64_t lsn; /* The row's last record; 0: there was no row. */
};

struct served_value {
    struct served_text name;
    struct served_text text;
    bool is_null;
};

struct served_item {
    struct served_text name;
    struct served_text text;
    enum answer_status status;
    uint8_t flags;
    enum value_kind kind;
};

/* Large: not for the stack. */
struct served_record {
    int64_t moment_us;
    uint64_t plan_print;
    uint64_t service_print; /* service_fingerprint() */
    struct served_text service;
    uint16_t version; /* Of the service. */
    uint16_t read_count;
    uint16_t item_count;
    uint8_t value_count;
    uint32_t row;
    struct served_read read[SERVICE_READS_MAX];
    struct served_value value[SERVICE_REQUEST_MAX];
    struct served_item item[SERVICE_FEATURES_MAX];
};

void served_file_encode(const struct served_file *file, uint8_t header[SERVED_FILE_HEADER]);
/* RESULT_OK, RESULT_TRUNCATED, RESULT_INVALID (no such file, or of another format version),
 * RESULT_CORRUPT. */
MUST_USE enum result served_file_decode(const uint8_t *data, uint64_t size,
                                        struct served_file *out_file);

/* Writes the header of a block before its records, which stand at data + SERVED_BLOCK_HEADER. */
void served_block_encode(const struct served_block *block, uint8_t *data);
/* RESULT_OK: header, size and crc hold; whether it is the block that is due is the caller's to see.
 * RESULT_TRUNCATED: more bytes are needed, SERVED_BLOCK_HEADER + out_block->size of them as far as
 * the unchecked header can be believed. RESULT_CORRUPT. */
MUST_USE enum result served_block_decode(const uint8_t *data, uint64_t size,
                                         struct served_block *out_block);

/* Returns the bytes of the record at data, 0 when size is too small, or a name, key or text is
 * beyond its limit. */
uint32_t served_record_encode(const struct served_record *record, uint8_t *data, uint32_t size);
/* Reads the record at *at of a good block's records (size bytes) and moves *at behind it.
 * RESULT_NOT_FOUND at the end; RESULT_CORRUPT when it breaks this format. Texts borrow data. */
MUST_USE enum result served_record_decode(const uint8_t *data, uint32_t size, uint32_t *at,
                                          struct served_record *out_record);

/* "served-00000012.log" */
#define SERVED_NAME_SIZE_MAX 40u
void served_name_format(uint64_t number, char out[SERVED_NAME_SIZE_MAX]);
bool served_name_parse(const char *name, uint64_t *out_number);

/* Names are few: whether a text is this name. */
bool served_text_is(struct served_text text, const char *name);
