/* json_read.h - a line of JSON taken apart.
 *
 * The line is read once into tokens, which point into it; strings are decoded when they are asked for. Anything that RFC 8259
 * allows is read, in a bounded depth; anything else is refused with its place. Process: the programs of cli/. Fails: what is
 * wrong, and want of memory, is a sentence.
 */
#ifndef KVSTASH_CLI_JSON_READ_H
#define KVSTASH_CLI_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "resp/resp_parse.h"

#define JSON_DEPTH_MAX 16u

enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* from, to: the text, without the quotes of a string. An object's children are name and value in turn. */
struct json_token {
    enum json_type type;
    bool escaped;  /* STRING: has escapes */
    size_t from, to;
    size_t next;   /* token behind this one and its children */
    uint64_t count; /* ARRAY: elements, OBJECT: names */
};

struct json_read {
    const char *text;
    size_t n, at;
    struct json_token *token; /* owned; token[0] is the whole */
    size_t tokens, cap;
    const char *wrong; /* a constant; at: where */
};

/* Zeroed is fit for use. Takes the text apart; it stays the caller's and in place. False: json->wrong and json->at say why. */
bool json_read_line(struct json_read *json, const char *text, size_t n);
void json_read_free(struct json_read *json);

/* The value of a name in an object; 0: there is none (token 0 is never a value in an object). */
size_t json_find(const struct json_read *json, size_t object, const char *name);
bool json_is(const struct json_read *json, size_t token, const char *text);
/* The bytes of a string, or of an object {"base64": "..."}: in the line itself, or decoded behind what is in `room`, which must not
 * grow afterwards if more than one is wanted: json_bytes_reserve first. False: it is neither. */
bool json_bytes(const struct json_read *json, size_t token, struct buf *room, struct resp_arg *bytes);
/* The text of an object {"base64": "..."}, not decoded. False: it is none. */
bool json_base64(const struct json_read *json, size_t token, struct resp_arg *encoded);
/* The text of an object {"base64": "..."}, not decoded. False: it is none. */
bool json_base64(const struct json_read *json, size_t token, struct resp_arg *encoded);
/* Makes room for the decoded strings of the whole line, so that none moves another. False: memory is short. */
bool json_bytes_reserve(const struct json_read *json, struct buf *room);
bool json_int(const struct json_read *json, size_t token, int64_t *number);
bool json_double(const struct json_read *json, size_t token, double *number);

#endif
