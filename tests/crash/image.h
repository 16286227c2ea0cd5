/* image.h - what a region holds, as a list of keys with a sum of each one's type, expiry and content: taken from the living
 * trees, or from a snapshot's walker. Two images of the same state are equal whatever the order they were made in.
 */
#ifndef KVSTASH_TESTS_IMAGE_H
#define KVSTASH_TESTS_IMAGE_H

#include "types/type_walk.h"

#define IMAGE_NAME 48u

struct image_key {
    char name[IMAGE_NAME]; /* the key's first bytes */
    uint64_t name_sum, sum;
    unsigned db;
};

struct image {
    const struct shm_region *region;
    const char *without;   /* keys that begin so are left out; NULL: none */
    struct image_key *key;
    size_t n, cap;
    /* a large value under way */
    bool open, in_field;
    uint64_t fields, bytes, field_sum, piece_sum, value_sum;
};

void image_open(struct image *m, const struct shm_region *r, const char *without);
void image_close(struct image *m);
/* Everything that the region holds now. The caller holds all locks or is alone. */
void image_of_region(struct image *m, struct shm_region *r, const char *without);
/* Fills the image from the walker. */
struct type_walk_sink image_sink(struct image *m);
/* Takes back what a step gave out that does not count: what the image was before it. */
struct image_mark {
    struct image m;
    struct image_key last;
};
struct image_mark image_mark(const struct image *m);
void image_rewind(struct image *m, const struct image_mark *mark);
/* NULL if both are equal, else what differs (in a static buffer). Sorts them. */
const char *image_differs(struct image *a, struct image *b);

#endif
