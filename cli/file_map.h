/* file_map.h - a file as memory, read-only.
 *
 * Process: the programs of cli/. Fails: a sentence with the file's name, returned. A file that another program cuts while it is
 * looked at ends this one (SIGBUS): the files in question grow and are replaced, but are not cut by a server that runs.
 */
#ifndef KVSTASH_CLI_FILE_MAP_H
#define KVSTASH_CLI_FILE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILE_MAP_ERROR_MAX 512u

struct file_map {
    const char *bytes; /* not NULL, also if the file is empty */
    size_t n;
    int64_t mtime_ns;  /* with size and number what tells this file from another */
    uint64_t device, inode;
};

/* False with a sentence in error (FILE_MAP_ERROR_MAX bytes): it cannot be read, or is no regular file. */
bool file_map_open(struct file_map *m, const char *path, char *error);
void file_map_close(struct file_map *m);

/* Writes a file aside, syncs it, puts it in the place of path and syncs the directory. Keeps the mode of what was there, else
 * 0666 less the umask. False with a sentence in error; path is then as it was. */
bool file_replace(const char *path, const char *bytes, size_t n, char *error);
/* Writes a new file, which must not exist, and syncs it and its directory. False with a sentence in error. */
bool file_create(const char *path, const char *bytes, size_t n, char *error);

#endif
