/* rdb_flip.c - flips every bit of an RDB file in turn and reads what comes of it to the bottom; a tool of the tests.
 *
 *   rdb_flip FILE    prints how many variants were refused by their content, and how many by the checksum alone
 *
 * With the checksum nothing may pass as a whole file; with the checksum set to zeros (none) the readers must end, and stay inside
 * their bytes (the sanitizers watch). Exit status 0, 1 (a variant was taken for good) or 2.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/rdb_in.h"
#include "format/rdb_value.h"

#define SUM_BYTES 8u

/* Touches every byte that is handed out. */
static bool
touch(void *arg, const struct rdb_piece *p)
{
    volatile unsigned *sum = arg;
    const struct rdb_string *s = p->kind == RDB_PIECE_GROUP || p->kind == RDB_PIECE_CONSUMER ? &p->name : &p->value;
    if (p->kind == RDB_PIECE_ENTRY || p->kind == RDB_PIECE_STREAM || p->kind == RDB_PIECE_PENDING)
        return true;
    for (size_t i = 0; i < s->len; i++)
        *sum += (unsigned char)rdb_string_bytes(s)[i];
    return true;
}

/* Reads an image to the bottom: is it whole? The checksum is not looked at. */
static bool
reads(struct rdb_in *in, const void *image, size_t n, struct rdb_value *v)
{
    enum rdb_in_item item;
    if (!rdb_in_open(in, image, n))
        return false;
    while ((item = rdb_in_next(in)) != RDB_IN_END && item != RDB_IN_WRONG) {
        struct rdb_read r = rdb_read_of(in->r.bytes, in->from, in->to);
        if (item == RDB_IN_KEY && (!rdb_value_read(v, in->type, &r) || r.at != in->to))
            return false;
    }
    return item == RDB_IN_END && in->r.at == n;
}

int
main(int argc, char **argv)
{
    struct stat st;
    struct rdb_in in;
    unsigned sum = 0;
    size_t refused = 0, by_sum = 0, taken = 0;
    struct rdb_value deep = {.depth = RDB_DEEP, .fn = touch, .arg = &sum}, heads = {.depth = RDB_HEADS};
    int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size < (long)(RDB_HEAD + SUM_BYTES + 1))
        return 2;
    size_t n = (size_t)st.st_size;
    char *image = malloc(n); /* so that one byte too far is seen */
    if (!image || read(fd, image, n) != (ssize_t)n || !reads(&in, image, n, &deep) || !rdb_in_sum_fits(&in))
        return 2;
    rdb_in_close(&in);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        image[bit / 8] ^= (char)(1 << bit % 8);
        bool whole = reads(&in, image, n, &deep), fits = whole && rdb_in_sum_fits(&in);
        refused += !whole;
        by_sum += whole && !fits;
        taken += fits;
        rdb_in_close(&in);
        reads(&in, image, n, &heads);
        rdb_in_close(&in);
        image[bit / 8] ^= (char)(1 << bit % 8);
    }
    printf("%zu refused, %zu by the checksum, %zu taken\n", refused, by_sum, taken);
    rdb_value_free(&deep);
    rdb_value_free(&heads);
    free(image);
    return taken != 0;
}
