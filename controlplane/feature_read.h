/* From the words of a request to answers: keys and fields are resolved once, one reader_read() call
 * takes all queries, and the answers come back in the order that was asked. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/command.h"

/* `<entity>:<id>` */
struct read_key {
    const char *entity; /* As the plan spells it, NUL-terminated. */
    const char *id;     /* In the request. */
    uint32_t id_size;
};

struct read_request {
    uint32_t key_count;
    uint32_t field_count;
    uint32_t group_count;
    enum read_time time;
    bool durable; /* LEVEL durable: nothing that a crash could take back. */
    int64_t at_us;
};

/* Splits a key and finds its entity. Writes the error and returns false when there is none. */
bool read_key_split(struct command_call *call, const struct resp_argument *argument,
                    struct read_key *out_key);

/* Resolves the fields into groups of one view each. Every view must be of entity: what is not, and
 * what is unknown, is an error. Returns false after writing it. */
bool read_fields_resolve(struct command_call *call, const char *entity,
                         const struct resp_argument *fields, uint32_t count,
                         struct read_request *request);
/* The same for all features of the newest version of each view of entity. Returns false, and writes
 * an error, only when memory is short. */
bool read_fields_all(struct command_call *call, const char *entity, struct read_request *request);
/* One feature of each such view: enough to know whether the entity is there and how new it is. */
bool read_fields_one(struct command_call *call, const char *entity, struct read_request *request);

/* Parts of read_answers(), for requests of another shape: room in the scratch; the key of a query
 * whose view is set (NULL: none, so nothing is found); then the reading. Each returns false after
 * writing an error. */
bool read_reserve(struct command_call *call, uint32_t answers, uint32_t queries);
bool read_query_key(struct command_call *call, struct reader_query *query,
                    const struct resp_argument *key);
bool read_run(struct command_call *call, const struct read_request *request, uint32_t answers,
              uint32_t queries);

/* Reads request->key_count keys. Returns false after writing an error. */
bool read_answers(struct command_call *call, const struct resp_argument *keys,
                  struct read_request *request);

/* After read_answers(): answer of the field-th asked field of the key-th key, its feature, and the
 * query of a group. */
const struct answer *read_answer(const struct command_call *call,
                                 const struct read_request *request, uint32_t key, uint32_t field);
const struct plan_feature *read_feature(const struct command_call *call, uint32_t field);
const struct reader_query *read_query(const struct command_call *call,
                                      const struct read_request *request, uint32_t key,
                                      uint32_t group);
