/* options.h - what the command line says. */
#ifndef KVSTASH_MASTER_OPTIONS_H
#define KVSTASH_MASTER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
    const char *bind;
    unsigned port, workers, shards, databases, max_clients;
    const char *dir;          /* data directory */
    const char *region;       /* region file; NULL: from the data directory */
    const char *unix_path;    /* NULL: none */
    uint64_t region_bytes;    /* 0: what the machine allows */
    uint64_t maxmemory;
    bool check_region;        /* check the file and end */
};

/* Fills o from the arguments; false with a message in error (of 256 bytes). */
bool options_parse(struct options *o, int argc, char **argv, char *error);

#endif
