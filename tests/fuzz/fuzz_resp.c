/* What a client sends: whole or in pieces, the same requests come out, and none leaves its
 * input. */
#include <stdlib.h>
#include <string.h>

#include "controlplane/resp.h"
#include "dataplane/base/assert.h"
#include "dataplane/base/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Hash of everything that comes out when the input arrives in pieces of step bytes. */
static uint64_t parse_in_steps(const uint8_t *data, size_t size, size_t step)
{
    struct resp_parser parser;
    uint64_t hash = 0;
    uint64_t from = 0;
    uint64_t to = 0;
    char *input = malloc(size + 1);
    if (size > 0) {
        memcpy(input, data, size);
    }
    resp_parser_init(&parser);
    while (true) {
        uint64_t used;
        enum resp_status status = resp_parse(&parser, input + from, to - from, &used);
        ASSERT(used <= to - from);
        from += used;
        if (status == RESP_ERROR) {
            hash = XXH3_64bits_withSeed(parser.error, strlen(parser.error), hash);
            break;
        }
        if (status == RESP_MORE && to == size) {
            break;
        }
        if (status == RESP_MORE) {
            to = to + step < size ? to + step : size;
            continue;
        }
        ASSERT(parser.argument_count > 0 && parser.argument_count <= RESP_ARGUMENTS_MAX);
        for (uint32_t i = 0; i < parser.argument_count; i++) {
            const struct resp_argument *argument = &parser.argument[i];
            ASSERT(argument->data >= input && argument->data + argument->size <= input + from);
            hash = XXH3_64bits_withSeed(argument->data, argument->size, hash + 1);
        }
    }
    resp_parser_deinit(&parser);
    free(input);
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole = parse_in_steps(data, size, size + 1);
    ASSERT(parse_in_steps(data, size, 1) == whole);
    ASSERT(parse_in_steps(data, size, 7) == whole);
    return 0;
}
