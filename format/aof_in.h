/* aof_in.h - the commands of an append-only file, one after the other, out of its image in memory.
 *
 *     aof_in_open(&in, bytes, n, 0, 0);
 *     while ((result = aof_in_next(&in)) == AOF_IN_COMMAND)
 *         ... in.argc, in.argv (pointing into the image), in.multi ...
 *     if (result == AOF_IN_TORN) ... in.whole is where the file may be cut; in.error says why ...
 *     aof_in_close(&in);
 *
 * A command is handed out only if the whole unit that it belongs to is there and right: its MULTI has its EXEC, the hash of its
 * group fits. So who executes while he reads never executes half a transaction, nor a damaged byte.
 *
 * A file begins as one of ours (a head line, then groups: aof_group.h) or as anybody's (commands, #TS: lines, comments). What
 * redis-server appended to one of ours is read too: from the first command that is in no group on, the rest counts as anybody's.
 * An RDB preamble (aof_in_is_rdb) is not read here: pass its end as `from`.
 *
 * Torn or damaged? Anybody's file is torn if it ends inside a command or MULTI; everything else that is wrong is damage, as with
 * redis-check-aof. Ours knows more: what is no group behind the last whole group is a torn tail, unless a line further on says
 * that a later ticket was durable when it was written; then it is damage. (What begins with '*' there is judged as anybody's: no
 * group was ever at that place.) The head line has to be durable before a manifest names the file.
 *
 * Costs: a command some 10 ns an argument; a group one hash over its bytes when it is entered (AOF_IN_TRUST leaves it out, for all
 * but one of several readers of one file); a transaction is read twice. Process: any. Locks: none. Fails: returned.
 * Sources: Redis 7.0's files; what redis-server and redis-check-aof 7.0.15 do with good and bad ones.
 */
#ifndef KVSTASH_FORMAT_AOF_IN_H
#define KVSTASH_FORMAT_AOF_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/aof_error.h"
#include "format/aof_group.h"
#include "resp/resp_parse.h"

enum aof_in_flags {
    AOF_IN_TRUST = 1, /* hashes of groups are not looked at: another reader of the same image does it */
};

enum aof_in_result {
    AOF_IN_COMMAND,
    AOF_IN_END,      /* nothing is left, and nothing was wrong */
    AOF_IN_TORN,     /* the tail is not whole: the file may be cut at in->whole */
    AOF_IN_BAD,      /* damage; in->whole is where the readable part ends */
    AOF_IN_NO_MEMORY,
};

struct aof_in {
    /* the command handed out; argv belongs to the iterator and is good until the next call */
    int argc; /* at least 1 */
    const struct resp_arg *argv;
    size_t offset, end; /* its first byte, and behind its last */
    bool multi;         /* it is MULTI, EXEC or between them */
    bool grouped;       /* it is in a group of ours: in->group */

    /* the file */
    bool annotated; /* it has a head line: in->head */
    bool foreign;   /* something of anybody's was met: in a file of ours, what was appended without groups */
    struct aof_head head;
    struct aof_group group; /* the last one entered */
    size_t group_offset;    /* of its line */
    int64_t stamp;          /* seconds of the last #TS: line, 0: none yet */
    uint64_t commands, groups; /* handed out, entered */
    uint64_t durable;          /* the highest durable ticket that a line told */
    size_t whole;              /* end of the last whole command, transaction, group or head line */
    struct aof_error error;    /* after TORN and BAD */

    /* own */
    const char *bytes;
    size_t n, at;
    size_t group_end, multi_end; /* behind what was found whole; 0: in none */
    uint64_t last_ticket;
    unsigned flags;
    struct resp_arg *args;
    uint32_t args_cap;
    enum aof_in_result ended;
};

/* Does an RDB stand at the front of the image? */
bool aof_in_is_rdb(const char *bytes, size_t n);
/* Begins at the offset `from`; the image stays the caller's and in place. Allocates nothing. flags: enum aof_in_flags. */
void aof_in_open(struct aof_in *in, const char *bytes, size_t n, size_t from, unsigned flags);
/* The next command. Anything but COMMAND is final. */
enum aof_in_result aof_in_next(struct aof_in *in);
void aof_in_close(struct aof_in *in);

#endif
