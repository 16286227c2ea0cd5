/* source.c - where export and import get their items from (see source.h): which kind a file is. */
#include "cli/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "cli/file_map.h"

#define PRINT_BYTES 65536u /* at either end */

uint64_t
source_fingerprint(const struct file_map *map)
{
    size_t n = map->n < PRINT_BYTES ? map->n : PRINT_BYTES;
    return XXH3_64bits_withSeed(map->bytes, n, map->n) ^ (XXH3_64bits(map->bytes + map->n - n, n) << 1);
}

void
source_close(struct source *s)
{
    if (s != NULL)
        s->close(s);
}

struct source *
source_open(const char *path, bool trust, char *error)
{
    struct file_map map;
    char why[FILE_MAP_ERROR_MAX];
    if (!file_map_open(&map, path, why)) {
        snprintf(error, SOURCE_ERROR_MAX, "%s", why);
        return NULL;
    }
    if (map.n > 0 && map.bytes[0] == '{')
        return source_json_open(path, &map, error);
    file_map_close(&map);
    return source_files_open(path, trust, error);
}
