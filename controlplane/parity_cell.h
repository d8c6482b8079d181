/* Values of SQL beside those of Freshet: numbers by their text, doubles by their bits, lists and
 * objects item by item. What SQL divides as doubles may be some units in the last place apart. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/buffer.h"
#include "dataplane/feature/answer.h"

enum parity_shape {
    PARITY_TEXT,
    PARITY_DOUBLE,
    PARITY_LIST, /* JSON: of texts. */
    PARITY_MAP,  /* JSON: a list of the keys, and one of the values; of texts, or lists of them. */
};

/* What a column of SQL has. */
struct parity_column {
    enum parity_shape shape;
    bool holds_doubles;    /* The items of a list, or the values of a map. */
    bool keys_are_doubles; /* Of a map. */
};

struct parity_cell {
    bool is_null;
    double real;      /* Of PARITY_DOUBLE. */
    const char *text; /* Of the others; not NUL-terminated. */
    uint32_t size;
};

/* Of a type as DuckDB writes it: "DOUBLE", "DECIMAL(38,2)", "VARCHAR[]", "MAP(VARCHAR, BIGINT)". */
struct parity_column parity_column_of(const char *type, uint32_t size);
/* The column, as an expression of SQL, in the form that the cell has. */
void parity_column_write(const struct parity_column *column, const char *type, uint32_t size,
                         const char *name, struct buffer *out);

enum parity_match { PARITY_MATCH_EQUAL, PARITY_MATCH_NEAR, PARITY_MATCH_DIFFERENT };

/* units_max: that doubles may be apart and still be near. */
enum parity_match parity_cell_compare(const struct parity_column *column,
                                      const struct parity_cell *cell, const struct answer *answer,
                                      uint32_t units_max);
