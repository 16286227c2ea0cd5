/* options.c - the command line (see options.h). */
#include "master/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OPT_REGION = 256, OPT_DIR, OPT_REGION_SIZE, OPT_MAXMEMORY, OPT_MAXCLIENTS, OPT_BIND, OPT_UNIX, OPT_DATABASES, OPT_CHECK };

static const struct option longs[] = {
    {"port", required_argument, NULL, 'p'},
    {"workers", required_argument, NULL, 'w'},
    {"shards", required_argument, NULL, 's'},
    {"region", required_argument, NULL, OPT_REGION},
    {"dir", required_argument, NULL, OPT_DIR},
    {"region-size", required_argument, NULL, OPT_REGION_SIZE},
    {"maxmemory", required_argument, NULL, OPT_MAXMEMORY},
    {"maxclients", required_argument, NULL, OPT_MAXCLIENTS},
    {"bind", required_argument, NULL, OPT_BIND},
    {"unixsocket", required_argument, NULL, OPT_UNIX},
    {"databases", required_argument, NULL, OPT_DATABASES},
    {"check-region", no_argument, NULL, OPT_CHECK},
    {NULL, 0, NULL, 0},
};

static bool
number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *v, char *error)
{
    char *end;
    *v = strtoull(text, &end, 10);
    if (*text >= '0' && *text <= '9' && *end == '\0' && *v >= min && *v <= max)
        return true;
    snprintf(error, 256, "--%s is '%s': must be a number from %lu to %lu", name, text, (unsigned long)min, (unsigned long)max);
    return false;
}

bool
options_parse(struct options *o, int argc, char **argv, char *error)
{
    int opt;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t v = 0;
    *o = (struct options){.bind = "127.0.0.1", .port = 6380, .workers = cores > 0 ? (unsigned)cores : 1, .shards = 64,
        .databases = 16, .max_clients = 10000, .dir = "kvstash-data"};
    opterr = 0;
    while ((opt = getopt_long(argc, argv, "p:w:s:", longs, NULL)) != -1) {
        bool ok = true;
        switch (opt) {
        case 'p':
            ok = number("port", optarg, 1, 65535, &v, error);
            o->port = (unsigned)v;
            break;
        case 'w':
            ok = number("workers", optarg, 1, 100, &v, error);
            o->workers = (unsigned)v;
            break;
        case 's':
            ok = number("shards", optarg, 1, 512, &v, error);
            o->shards = (unsigned)v;
            break;
        case OPT_DATABASES:
            ok = number("databases", optarg, 1, 1024, &v, error);
            o->databases = (unsigned)v;
            break;
        case OPT_MAXCLIENTS:
            ok = number("maxclients", optarg, 1, 1000000, &v, error);
            o->max_clients = (unsigned)v;
            break;
        case OPT_REGION_SIZE:
            ok = number("region-size", optarg, 1, UINT64_MAX, &o->region_bytes, error);
            break;
        case OPT_MAXMEMORY:
            ok = number("maxmemory", optarg, 0, UINT64_MAX, &o->maxmemory, error);
            break;
        case OPT_REGION:
            o->region = optarg;
            break;
        case OPT_DIR:
            o->dir = optarg;
            break;
        case OPT_BIND:
            o->bind = optarg;
            break;
        case OPT_UNIX:
            o->unix_path = optarg;
            break;
        case OPT_CHECK:
            o->check_region = true;
            break;
        default:
            snprintf(error, 256, "unknown option or missing value: %s", argv[optind - 1]);
            return false;
        }
        if (!ok)
            return false;
    }
    return true;
}
