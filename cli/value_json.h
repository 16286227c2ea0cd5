/* value_json.h - a key as a line of JSON, and back.
 *
 *   {"db":0,"key":"user:1","type":"hash","expires_ms":1767225600000,"value":{"name":"Ada"}}
 *
 *   string   "text"                          hash    {"field":"value", ...}
 *   list     ["a","b"]                       zset    [["member",1.5],["other","inf"]]
 *   set      ["a","b"]                       module  {"form":7,"rdb":{"base64":"..."}}
 *   stream   {"entries":[["1-1",["field","value", ...]], ...],"length":1,"last_id":"1-1","first_id":"1-1","max_deleted_id":"0-0",
 *             "entries_added":1,"groups":[{"name":"g","last_id":"1-1","entries_read":1,
 *             "consumers":[{"name":"c","seen_ms":1,"pending":[["1-1",delivered_ms,deliveries], ...]}, ...]}, ...]}
 *   function {"type":"function","value":"#!lua name=..."}: a library, without db and key
 *
 * Texts that are UTF-8 are strings of JSON, other bytes are {"base64":"..."}; so nothing is lost, also by way of other programs. A
 * hash with a field that is no UTF-8 is [["field","value"], ...]; so is one whose fields expire: ["field","value",expires_ms].
 * expires_ms (since 1970) is there only if the key expires. All of it may come in any order.
 * Process: kvstash-cli. Fails: a sentence.
 */
#ifndef KVSTASH_CLI_VALUE_JSON_H
#define KVSTASH_CLI_VALUE_JSON_H

#include "base/buf.h"
#include "cli/item.h"
#include "cli/json_read.h"
#include "format/rdb_value.h"

#define VALUE_ERROR_MAX 256u

/* Appends the item's line with its end. False with a sentence in error (VALUE_ERROR_MAX): the value is damaged, or memory is short;
 * `to` is then as it was. Not for commands. v: zeroed, used again and again. */
bool value_to_json(struct buf *to, struct rdb_value *v, const struct item *item, char *error);

/* What making an item from JSON needs; zeroed is fit for use. */
struct value_reader {
    struct json_read json;
    struct buf text;  /* decoded strings */
    struct buf value; /* the RDB value */
    struct resp_arg *words;
    size_t words_cap;
};

/* The item of a line; it points into the line and the reader. False with a sentence in error. place is left alone. */
bool value_from_json(struct value_reader *r, const char *line, size_t n, struct item *item, char *error);
void value_reader_free(struct value_reader *r);

#endif
