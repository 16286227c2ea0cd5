/* load_file.h - a file mapped for reading. Process: any. */
#ifndef KVSTASH_PERSIST_LOAD_FILE_H
#define KVSTASH_PERSIST_LOAD_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct load_file {
    const char *path; /* the caller's */
    const char *bytes; /* "" if the file is empty */
    size_t n;
};

/* False: why is a sentence with file and remedy. */
bool load_file_open(struct load_file *f, const char *path, char *why, size_t room);
/* It will be read from its beginning to its end: the kernel fetches it ahead. */
void load_file_all(const struct load_file *f);
void load_file_close(struct load_file *f);

#endif
