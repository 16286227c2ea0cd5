/* out_file.h - a file that is written in one go and takes its place only when it is whole; or standard output.
 *
 * Bytes are collected and written in large pieces, beside the file's own name; out_file_commit syncs and renames. Process:
 * kvstash-cli. Fails: the first failure is kept as a sentence; what is put after it is dropped.
 */
#ifndef KVSTASH_CLI_OUT_FILE_H
#define KVSTASH_CLI_OUT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "cli/file_map.h"

struct out_file {
    char *path, *aside; /* owned; both NULL: standard output */
    int fd;
    struct buf buf;     /* to be appended to; out_file_flush takes it away now and then */
    uint64_t bytes;     /* written so far */
    bool sum;           /* keep crc64 of all bytes in crc */
    uint64_t crc;
    char error[FILE_MAP_ERROR_MAX]; /* "": none so far */
};

/* path "-": standard output. False with o->error. */
bool out_file_open(struct out_file *o, const char *path);
/* Writes what is in the buffer if it is much, or if it has to be. */
bool out_file_flush(struct out_file *o, bool now);
/* Writes many bytes past the buffer. */
bool out_file_write(struct out_file *o, const char *bytes, size_t n);
/* The file is whole: syncs it and gives it its name. False with o->error: it is taken away. Either way o is closed. */
bool out_file_commit(struct out_file *o);
/* Takes the file away and closes. */
void out_file_abandon(struct out_file *o);

#endif
