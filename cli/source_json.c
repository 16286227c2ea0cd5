/* source_json.c - items out of JSON lines (see source.h, value_json.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/file_map.h"
#include "cli/source.h"
#include "cli/value_json.h"

struct lines {
    struct source source; /* first */
    struct file_map map;
    char path[SOURCE_ERROR_MAX / 3];
    size_t at;
    uint64_t line;
    struct value_reader reader;
};

/* A line that cannot be read costs itself only. */
static enum source_result
lines_next(struct source *s, struct item *item)
{
    struct lines *l = (struct lines *)s;
    char error[VALUE_ERROR_MAX];
    if (l->at == l->map.n)
        return SOURCE_END;
    const char *line = l->map.bytes + l->at, *eol = memchr(line, '\n', l->map.n - l->at);
    size_t n = eol == NULL ? l->map.n - l->at : (size_t)(eol - line);
    l->at += n + (eol != NULL);
    l->line++;
    item->place = l->at;
    if (value_from_json(&l->reader, line, n, item, error))
        return SOURCE_ITEM;
    snprintf(s->error, SOURCE_ERROR_MAX, "%s: line %" PRIu64 ": %s", l->path, l->line, error);
    return SOURCE_SKIPPED;
}

static void
lines_close(struct source *s)
{
    struct lines *l = (struct lines *)s;
    file_map_close(&l->map);
    value_reader_free(&l->reader);
    free(l);
}

struct source *
source_json_open(const char *path, struct file_map *map, char *error)
{
    struct lines *l = calloc(1, sizeof *l);
    if (l == NULL) {
        snprintf(error, SOURCE_ERROR_MAX, "out of memory");
        file_map_close(map);
        return NULL;
    }
    l->source = (struct source){ .next = lines_next, .close = lines_close, .unit = PROGRESS_BYTES, .total = map->n };
    l->source.fingerprint = source_fingerprint(map);
    l->map = *map;
    snprintf(l->path, sizeof l->path, "%s", path);
    return &l->source;
}
