/* item.h - what export and import carry: keys with their values as RDB has them, libraries of functions, commands of a log.
 *
 * Everything an item points to belongs to its source and is good until the next one is asked for.
 */
#ifndef KVSTASH_CLI_ITEM_H
#define KVSTASH_CLI_ITEM_H

#include <stdbool.h>
#include <stdint.h>

#include "resp/resp_parse.h"

enum item_kind { ITEM_KEY, ITEM_FUNCTION, ITEM_COMMAND };

struct item {
    enum item_kind kind;
    uint64_t db;
    uint64_t place;         /* behind the item in its source: where an import goes on */

    struct resp_arg key;    /* KEY */
    int64_t expires_ms;     /* KEY: since 1970; -1: never */
    unsigned form;          /* KEY: enum rdb_form */
    struct resp_arg value;  /* KEY: as RDB has it, behind type and key; FUNCTION: the code */

    int argc;               /* COMMAND; SELECT is none, it only changes db */
    const struct resp_arg *argv;
    bool multi;             /* it is MULTI, EXEC or between them: not to be torn apart */
};

#endif
