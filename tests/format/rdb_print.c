/* rdb_print.c - what the readers of format/ find in an RDB file, as lines for a program; a tool of the tests.
 *
 *   rdb_print [-h] FILE    -h: check heads only, and print keys alone
 *
 *   aux|function|key ... and for a key its pieces (format/rdb_value.h), strings in hexadecimal; the last line is "end", or
 *   "wrong" and what is wrong. Exit status 0, 1 (wrong) or 2.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/rdb_in.h"
#include "format/rdb_value.h"

static void
print_string(const struct rdb_string *s)
{
    const char *bytes = rdb_string_bytes(s);
    putchar(' ');
    if (s->len == 0)
        putchar('-');
    for (size_t i = 0; i < s->len; i++)
        printf("%02x", (unsigned char)bytes[i]);
}

static void
print_id(struct rdb_id id)
{
    printf(" %lu-%lu", (unsigned long)id.ms, (unsigned long)id.seq);
}

static bool
print_piece(void *arg, const struct rdb_piece *p)
{
    static const char *const names[] = {"string", "element", "scored", "field", "entry", "stream", "group", "consumer", "pending"};
    (void)arg;
    fputs(names[p->kind], stdout);
    if (p->kind == RDB_PIECE_FIELD || p->kind == RDB_PIECE_GROUP || p->kind == RDB_PIECE_CONSUMER)
        print_string(&p->name);
    if (p->kind <= RDB_PIECE_FIELD)
        print_string(&p->value);
    if (p->kind == RDB_PIECE_SCORED)
        printf(" %.17g", p->score);
    if (p->kind == RDB_PIECE_FIELD)
        printf(" %ld", (long)p->expires_ms);
    if (p->kind == RDB_PIECE_ENTRY || p->kind == RDB_PIECE_STREAM || p->kind == RDB_PIECE_GROUP || p->kind == RDB_PIECE_PENDING)
        print_id(p->id);
    if (p->kind == RDB_PIECE_STREAM) {
        print_id(p->first);
        print_id(p->deleted);
        printf(" %lu", (unsigned long)p->added);
    }
    if (p->kind == RDB_PIECE_GROUP)
        printf(" %ld", (long)p->read);
    if (p->kind == RDB_PIECE_CONSUMER || p->kind == RDB_PIECE_PENDING)
        printf(" %ld", (long)p->seen_ms);
    if (p->kind == RDB_PIECE_ENTRY || p->kind == RDB_PIECE_STREAM || p->kind == RDB_PIECE_PENDING)
        printf(" %lu", (unsigned long)p->count);
    putchar('\n');
    return true;
}

/* The value of the current key; false: damaged. */
static bool
print_value(struct rdb_in *in, bool heads)
{
    struct rdb_value v = {.depth = heads ? RDB_HEADS : RDB_DEEP, .fn = heads ? NULL : print_piece};
    struct rdb_read r = rdb_read_of(in->r.bytes, in->from, in->to);
    bool ok = rdb_value_read(&v, in->type, &r);
    if (!ok)
        rdb_read_fail_at(&in->r, r.wrong_at, r.wrong);
    else if (r.at != in->to)
        ok = rdb_read_fail_at(&in->r, r.at, "the value does not end where its bytes do");
    rdb_value_free(&v);
    return ok;
}

static bool
print_item(struct rdb_in *in, enum rdb_in_item item, bool heads)
{
    switch (item) {
    case RDB_IN_AUX:
        printf("aux");
        print_string(&in->key);
        print_string(&in->value);
        break;
    case RDB_IN_FUNCTION:
        printf("function");
        print_string(&in->value);
        break;
    case RDB_IN_KEY:
        printf("key");
        print_string(&in->key);
        printf(" %lu %s %s %ld\n", (unsigned long)in->db, rdb_family_name(rdb_form(in->type)->family), rdb_form(in->type)->name,
            (long)in->expires_ms);
        return print_value(in, heads);
    default:
        return true;
    }
    putchar('\n');
    return true;
}

static int
print_image(const void *image, size_t n, bool heads)
{
    struct rdb_in in;
    struct buf text;
    enum rdb_in_item item = RDB_IN_WRONG;
    bool ok = rdb_in_open(&in, image, n);
    while (ok && (item = rdb_in_next(&in)) != RDB_IN_END)
        ok = item != RDB_IN_WRONG && print_item(&in, item, heads);
    if (ok && !rdb_in_sum_fits(&in))
        ok = rdb_read_fail_at(&in.r, in.summed, "the checksum does not fit");
    buf_init(&text);
    rdb_in_complain(&in, &text);
    if (ok)
        puts("end");
    else
        printf("wrong %.*s\n", (int)text.len, text.data);
    buf_destroy(&text);
    rdb_in_close(&in);
    return ok ? 0 : 1;
}

int
main(int argc, char **argv)
{
    struct stat st;
    bool heads = argc == 3 && strcmp(argv[1], "-h") == 0;
    int fd = argc == 2 + heads ? open(argv[argc - 1], O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0) {
        fprintf(stderr, "usage: rdb_print [-h] FILE\n");
        return 2;
    }
    void *image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (image == MAP_FAILED)
        return 2;
    return print_image(image, (size_t)st.st_size, heads);
}
