/* TOML for Swift: toml++ behind a C interface.
 *
 * Why a shim of our own: a configuration error must name line and column of the key it means, and a daemon must not
 * grow by megabytes to read a file once. toml++ keeps the positions; the Swift packages lose them or bring Foundation.
 *
 * A document is parsed at once into a flat array of nodes in pre-order: each table or array is followed by its
 * `children` children, each with its own descendants. A table's children come in the order of the file. The caller
 * copies what it wants and frees the document; nothing stays behind.
 *
 * Bounded: CTOML_LENGTH_MAX, CTOML_NESTING_MAX and CTOML_DOTTED_KEY_MAX are checked before or while parsing, because
 * toml++ 3.3 recurses once per level and knows no limit for dotted keys. No exception crosses into C, and no assertion
 * of toml++ ends the process.
 *
 * Deliberately absent: dates and times as values (no key of ours takes one; they are CTOML_OTHER), writing, and
 * reading of files (the caller does that).
 */
#ifndef CTOML_H
#define CTOML_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    /* The longest text, bytes. */
    CTOML_LENGTH_MAX = 1 << 20,
    /* How deep arrays and inline tables nest. */
    CTOML_NESTING_MAX = 16,
    /* How many parts a dotted key or a table's header has. */
    CTOML_DOTTED_KEY_MAX = 16,
};

typedef enum ctoml_kind {
    CTOML_TABLE,
    CTOML_ARRAY,
    CTOML_STRING,
    CTOML_INTEGER,
    CTOML_FLOAT,
    CTOML_BOOLEAN,
    /* A date or a time. */
    CTOML_OTHER,
} ctoml_kind;

/* One value. Lines and columns count from 1, columns in characters; 0: unknown. Strings are UTF-8 without a final NUL
 * and live as long as the document. */
typedef struct ctoml_node {
    ctoml_kind kind;
    uint32_t line;
    uint32_t column;
    /* The key of a table's child; NULL for the elements of an array and for the root. */
    const char *key;
    size_t key_length;
    uint32_t key_line;
    uint32_t key_column;
    /* CTOML_STRING */
    const char *string;
    size_t string_length;
    /* CTOML_INTEGER; 0 or 1 for CTOML_BOOLEAN */
    int64_t integer;
    /* CTOML_FLOAT */
    double real;
    /* CTOML_TABLE and CTOML_ARRAY: how many children follow, not counting their own. */
    size_t children;
} ctoml_node;

/* Where and why a text is not TOML. `message` is cut to fit. */
typedef struct ctoml_error {
    uint32_t line;
    uint32_t column;
    char message[256];
} ctoml_error;

typedef struct ctoml_document ctoml_document;

/* Parses `length` bytes at `text`; on failure returns NULL and fills `error`. */
ctoml_document *ctoml_parse(const char *text, size_t length, ctoml_error *error);

/* All nodes, the root table first. */
const ctoml_node *ctoml_nodes(const ctoml_document *document, size_t *count);

/* Frees the document and gives the memory that parsing took back to the system. */
void ctoml_free(ctoml_document *document);

#ifdef __cplusplus
}
#endif
#endif
