/* aof_group.h - annotation lines of the log: what makes a flipped byte in the middle of an AOF visible.
 *
 * An increment of ours is a head line, then groups; a group is its line and whole transactions behind it:
 *
 *     #KVA 1 <lineage> <first ticket> <check>\r\n
 *     #KVG <first> <last> <durable> <bytes> <hash> <check>\r\n
 *     *3\r\n$3\r\nSET\r\n...                                       <bytes> bytes of commands (and #TS: lines)
 *     #KVG ...
 *
 * Numbers are hexadecimal, lower case, of fixed width (lineage 32 digits, tickets 16, bytes 12, hash 16, check 8), so each line
 * has a length known beforehand and can be filled in when its group is complete. redis-server and redis-check-aof pass over
 * lines that begin with '#' (measured with 7.0.15), between commands and inside MULTI.
 *
 *   hash     XXH3-64 of the group's bytes
 *   check    the low half of XXH3-64 of the line before it, seeded with the lineage: a line that says the wrong thing is seen,
 *            and a value cannot pretend to be a line, because clients do not know the lineage (no protection against who reads
 *            the file)
 *   durable  the highest ticket that the writer had seen fsynced when it wrote the line. It tells damage from a tail that a power
 *            cut tore: bytes that are wrong although a line further on says that they were durable are damage; others may be cut off
 *
 * A group of 0 bytes is a mark: its first ticket is its last plus 1. It only says what is durable; written when the log falls
 * idle and when it is closed, it leaves nothing that could be taken for a torn tail.
 *
 * Tickets rise through the file: first > the last of the group before, last >= first (a mark: last = first - 1).
 * Process: any. Locks: none. Fails: a bad line is returned.
 */
#ifndef KVSTASH_FORMAT_AOF_GROUP_H
#define KVSTASH_FORMAT_AOF_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define AOF_LINEAGE_BYTES 16u
#define AOF_HEAD_LINE 67u               /* bytes of a head line, with CR LF */
#define AOF_GROUP_LINE 96u              /* bytes of a group's line, with CR LF */
#define AOF_STAMP_LINE_MAX 32u          /* bytes of a #TS: line, with CR LF */

/* The first line of an increment. */
struct aof_head {
    uint8_t lineage[AOF_LINEAGE_BYTES];
    uint64_t first_ticket; /* no record of the file has a lower one */
};

struct aof_group {
    uint64_t first, last; /* tickets */
    uint64_t durable;
    uint64_t bytes; /* behind the line; below 2^48 */
    uint64_t hash;  /* of these */
};

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

/* Each fills the line; the bytes behind it are not touched, and no NUL is put there. */
void aof_head_render(char line[AOF_HEAD_LINE], const struct aof_head *head);
void aof_group_render(char line[AOF_GROUP_LINE], const struct aof_head *head, const struct aof_group *group);
/* The group's hash from its pieces, in their order. */
uint64_t aof_group_hash(const struct iovec *piece, size_t pieces);
/* "#TS:<seconds>\r\n", as Redis writes it with aof-timestamp-enabled; returns its length. Stands between transactions. */
size_t aof_stamp_render(char line[AOF_STAMP_LINE_MAX], int64_t seconds);

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

enum aof_line_kind {
    AOF_LINE_NONE,    /* does not begin with '#' */
    AOF_LINE_HEAD,    /* *head is filled */
    AOF_LINE_GROUP,   /* *group is filled; its bytes are not looked at */
    AOF_LINE_STAMP,   /* *seconds is filled */
    AOF_LINE_COMMENT, /* any other: somebody else's */
    AOF_LINE_SHORT,   /* the bytes end before the line does */
    AOF_LINE_BAD,     /* says #KVA or #KVG, but is none: its form or its check is wrong */
};

struct aof_line {
    enum aof_line_kind kind;
    size_t bytes; /* of the line with its end; 0 with NONE, SHORT and BAD */
    struct aof_head head;
    struct aof_group group;
    int64_t seconds;
};

/* Reads the line at the front of the bytes. head: that of the file, against which groups are checked; NULL: not known, every
 * group line is bad. */
void aof_line_read(struct aof_line *line, const char *bytes, size_t n, const struct aof_head *head);
/* The next line of a group of this file that is right by its check, searched from the front, wherever it stands (what was in
 * front of it may be destroyed): its offset, or n if there is none. */
size_t aof_group_find(const char *bytes, size_t n, const struct aof_head *head, struct aof_group *group);

#endif
