/* listen.c - the listening sockets (see listen.h).
 *
 * The sockets of one address for all slots are made together, the first of them exclusively; the table that children inherit
 * is filled when all addresses have theirs. To accept is worker/accept.c's job. Fails: an address that is in use or does not
 * exist, with a message that names it and a remedy; one marked with '-' is left out instead.
 */
#include "master/listen.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static bool
fail(struct shm_error *e, const char *what, const char *address, unsigned port, const char *remedy)
{
    snprintf(e->text, sizeof e->text, "cannot %s %s port %u: %s; %s", what, address, port, strerror(errno), remedy);
    return false;
}

/* One socket of an address. The first is exclusive while it binds. Returns -1 with errno. */
static int
open_one(const struct addrinfo *a, bool first, int backlog)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return -1;
    if (a->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if ((first || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) && bind(fd, a->ai_addr, a->ai_addrlen) == 0 &&
        (!first || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0) && listen(fd, backlog) == 0)
        return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* Sockets of one address for every slot, as column h->addresses of the table. */
static bool
open_address(struct heritage *h, int *column, const char *address, unsigned port, int backlog, struct shm_error *e)
{
    char service[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found;
    snprintf(service, sizeof service, "%u", port);
    if (strcmp(address, "*") == 0)
        hints.ai_family = AF_INET;
    if (strcmp(address, "::*") == 0)
        hints.ai_family = AF_INET6;
    bool any = strchr(address, '*') != NULL;
    int rc = getaddrinfo(any ? NULL : address, service, &hints, &found);
    if (rc != 0) {
        snprintf(e->text, sizeof e->text, "cannot listen on address '%s': %s; correct --bind", address, gai_strerror(rc));
        return false;
    }
    bool ok = true;
    for (unsigned slot = 0; ok && slot < h->workers; slot++) {
        column[slot] = open_one(found, slot == 0, backlog);
        if (column[slot] < 0)
            ok = fail(e, "listen on", address, port,
                errno == EADDRINUSE ? "another server has it: stop that or choose another --port" : "choose another address or port");
        for (unsigned s = 0; !ok && s < slot; s++)
            close(column[s]);
    }
    freeaddrinfo(found);
    return ok;
}

bool
listen_open(struct heritage *h, const char *bind, unsigned port, int backlog, struct shm_error *e)
{
    int columns[HERITAGE_ADDRESSES_MAX][SHM_SLOTS_MAX];
    char addresses[1024], *save = NULL;
    snprintf(addresses, sizeof addresses, "%s", bind);
    h->addresses = 0;
    for (char *a = strtok_r(addresses, " ", &save); a; a = strtok_r(NULL, " ", &save)) {
        bool optional = a[0] == '-' && a[1] != '\0';
        if (h->addresses == HERITAGE_ADDRESSES_MAX) {
            snprintf(e->text, sizeof e->text, "--bind names more than %d addresses", HERITAGE_ADDRESSES_MAX);
            return false;
        }
        if (open_address(h, columns[h->addresses], a + optional, port, backlog, e))
            h->addresses++;
        else if (!optional)
            return false;
    }
    h->listener = calloc((size_t)h->workers * (h->addresses ? h->addresses : 1), sizeof(int));
    if (!h->listener) {
        snprintf(e->text, sizeof e->text, "no private memory for the table of listening sockets");
        return false;
    }
    for (unsigned slot = 0; slot < h->workers; slot++)
        for (unsigned a = 0; a < h->addresses; a++)
            h->listener[slot * h->addresses + a] = columns[a][slot];
    return true;
}

/* A socket that nobody serves any more gives way; everything else stays. */
static bool
make_room(const struct sockaddr_un *a, struct shm_error *e)
{
    struct stat st;
    if (lstat(a->sun_path, &st) != 0)
        return true;
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(e->text, sizeof e->text, "%s is there and is no socket; choose another --unixsocket", a->sun_path);
        return false;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool served = fd >= 0 && (connect(fd, (const struct sockaddr *)a, sizeof *a) == 0 || errno == EAGAIN);
    if (fd >= 0)
        close(fd);
    if (served)
        snprintf(e->text, sizeof e->text, "another server has the unix socket %s: stop that or choose another --unixsocket", a->sun_path);
    else
        unlink(a->sun_path);
    return !served;
}

bool
listen_open_unix(struct heritage *h, const char *path, unsigned mode, int backlog, struct shm_error *e)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path) {
        snprintf(e->text, sizeof e->text, "unixsocket path '%s' is longer than %zu bytes", path, sizeof a.sun_path - 1);
        return false;
    }
    strcpy(a.sun_path, path);
    if (!make_room(&a, e))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && (mode == 0 || chmod(path, mode) == 0) && listen(fd, backlog) == 0) {
        h->unix_listener = fd;
        return true;
    }
    snprintf(e->text, sizeof e->text, "cannot listen on unix socket %s: %s; choose another --unixsocket", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return false;
}
