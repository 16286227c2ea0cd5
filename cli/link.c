/* link.c - a connection to a server, and commands on it one at a time (see link.h). */
#include "cli/link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_STEP 65536u
#define PREPARE_ARGS_MAX 4

void
link_name(const struct link_address *a, char *text, size_t size)
{
    if (a->path != NULL)
        snprintf(text, size, "%s", a->path);
    else
        snprintf(text, size, "%s:%d", a->host, (int)a->port);
}

bool
link_is_local(const struct link_address *a)
{
    return a->path != NULL || strcmp(a->host, "localhost") == 0 || strncmp(a->host, "127.", 4) == 0 ||
           strcmp(a->host, "::1") == 0;
}

/* ---- sockets ------------------------------------------------------------------------------------ */

static int
unix_socket(const char *path)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof sun.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(sun.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0)
        return fd;
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return -1;
}

/* Tries each address of the name. -1 with errno of the last. */
static int
tcp_socket(const struct addrinfo *list)
{
    int saved = ECONNREFUSED;
    for (const struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
            return fd;
        }
        saved = errno;
        if (fd >= 0)
            close(fd);
    }
    errno = saved;
    return -1;
}

int
link_socket(const struct link_address *a, char *error)
{
    char name[256], port[16];
    struct addrinfo *list, hints = { .ai_socktype = SOCK_STREAM };
    int fd;
    link_name(a, name, sizeof name);
    if (a->path != NULL) {
        fd = unix_socket(a->path);
    } else {
        snprintf(port, sizeof port, "%d", (int)a->port);
        int status = getaddrinfo(a->host, port, &hints, &list);
        if (status != 0) {
            snprintf(error, LINK_ERROR_MAX, "Could not connect to %s: %s; check the host name (-h)", name, gai_strerror(status));
            return -1;
        }
        fd = tcp_socket(list);
        int saved = errno;
        freeaddrinfo(list);
        errno = saved;
    }
    if (fd < 0)
        snprintf(error, LINK_ERROR_MAX, "Could not connect to %s: %s; check that a server runs there (-h, -p or -s)", name,
                 strerror(errno));
    return fd;
}

/* ---- requests and replies ----------------------------------------------------------------------- */

void
link_request(struct buf *out, int argc, const struct resp_arg *argv)
{
    buf_printf(out, "*%d\r\n", argc);
    for (int i = 0; i < argc; i++) {
        buf_printf(out, "$%zu\r\n", argv[i].len);
        buf_append(out, argv[i].data, argv[i].len);
        buf_append(out, "\r\n", 2);
    }
}

/* Leaves the sentence and the place. */
static void
lost(struct link *l, const char *why)
{
    char name[256];
    link_name(&l->address, name, sizeof name);
    snprintf(l->error, sizeof l->error, "Connection to %s lost: %s", name, why);
}

bool
link_send_bytes(struct link *l, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t did = send(l->fd, bytes, n, MSG_NOSIGNAL);
        if (did < 0 && errno == EINTR)
            continue;
        if (did < 0) {
            lost(l, strerror(errno));
            return false;
        }
        bytes += did;
        n -= (size_t)did;
    }
    return true;
}

bool
link_send(struct link *l, struct buf *out)
{
    if (buf_failed(out)) {
        snprintf(l->error, sizeof l->error, "Out of memory for the request");
        return false;
    }
    bool ok = link_send_bytes(l, buf_head(out), buf_pending(out));
    if (ok)
        buf_consume(out, buf_pending(out));
    return ok;
}

/* More bytes into l->in. */
static bool
receive(struct link *l)
{
    if (!buf_reserve(&l->in, READ_STEP)) {
        snprintf(l->error, sizeof l->error, "Out of memory for the reply");
        return false;
    }
    ssize_t n;
    do {
        n = recv(l->fd, l->in.data + l->in.len, READ_STEP, 0);
    } while (n < 0 && errno == EINTR);
    if (n > 0)
        l->in.len += (size_t)n;
    else
        lost(l, n == 0 ? "Server closed the connection" : strerror(errno));
    return n > 0;
}

struct resp_value *
link_read(struct link *l)
{
    struct resp_value *value;
    for (;;) {
        switch (resp_read(l->reader, &l->in, &value)) {
        case RESP_READ_VALUE:
            return value;
        case RESP_READ_MORE:
            if (!receive(l))
                return NULL;
            break;
        case RESP_READ_BAD:
        case RESP_READ_NOMEM:
            lost(l, resp_reader_error(l->reader));
            return NULL;
        }
    }
}

struct resp_value *
link_command(struct link *l, int argc, const struct resp_arg *argv)
{
    struct buf out;
    buf_init(&out);
    link_request(&out, argc, argv);
    bool sent = link_send(l, &out);
    buf_destroy(&out);
    return sent ? link_read(l) : NULL;
}

/* ---- opening ------------------------------------------------------------------------------------ */

/* A command of the preparation; an error reply ends it. */
static bool
prepare(struct link *l, int argc, const char *const words[])
{
    struct resp_arg argv[PREPARE_ARGS_MAX];
    char name[256];
    for (int i = 0; i < argc; i++)
        argv[i] = (struct resp_arg){ .data = words[i], .len = strlen(words[i]) };
    struct resp_value *reply = link_command(l, argc, argv);
    bool ok = reply != NULL && reply->type != RESP_ERROR;
    if (reply != NULL && !ok) {
        link_name(&l->address, name, sizeof name);
        snprintf(l->error, sizeof l->error, "%s at %s failed: %.400s", words[0], name, reply->text);
    }
    resp_value_destroy(reply);
    return ok;
}

static bool
authenticate(struct link *l)
{
    const struct link_address *a = &l->address;
    if (a->password == NULL)
        return true;
    bool ok = a->user == NULL ? prepare(l, 2, (const char *const[]){ "AUTH", a->password })
                              : prepare(l, 3, (const char *const[]){ "AUTH", a->user, a->password });
    if (!ok && a->auth_may_fail && l->fd >= 0) {
        fprintf(stderr, "%s\n", l->error);
        return true;
    }
    return ok;
}

bool
link_open(struct link *l, const struct link_address *a)
{
    char database[16];
    *l = (struct link){ .address = *a, .fd = -1 };
    buf_init(&l->in);
    l->reader = resp_reader_create();
    if (l->reader == NULL) {
        snprintf(l->error, sizeof l->error, "Out of memory");
        return false;
    }
    l->fd = link_socket(a, l->error);
    snprintf(database, sizeof database, "%d", (int)a->database);
    return l->fd >= 0 && authenticate(l) && (a->resp != 3 || prepare(l, 2, (const char *const[]){ "HELLO", "3" })) &&
           (a->database == 0 || prepare(l, 2, (const char *const[]){ "SELECT", database }));
}

void
link_close(struct link *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    resp_reader_destroy(l->reader);
    l->reader = NULL;
    buf_destroy(&l->in);
}
