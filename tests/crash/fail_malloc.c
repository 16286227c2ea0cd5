/* fail_malloc.c - preloaded into a server: one in so many takings of private memory fails, once it is told to.
 *
 * The environment's FAIL_MALLOC names a file whose first 8 bytes are two numbers (u32, little-endian): one in how many
 * fails (0: none), and how many failed so far. Built and used by tests/integration/test_memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic uint32_t *page; /* one_in, failed */
static uint64_t state = 88172645463325252ull;

__attribute__((constructor)) static void
open_page(void)
{
    const char *path = getenv("FAIL_MALLOC");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *p = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (p != MAP_FAILED)
        page = p;
}

static int
fails(void)
{
    uint32_t one_in = page ? atomic_load(&page[0]) : 0;
    if (one_in == 0)
        return 0;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    if ((state + (uint64_t)getpid()) % one_in != 0)
        return 0;
    atomic_fetch_add(&page[1], 1);
    errno = ENOMEM;
    return 1;
}

extern void *__libc_malloc(size_t n);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t n);

/* AddressSanitizer's, in a server built with it: what it frees must be its own. */
extern __attribute__((weak)) void *__interceptor_malloc(size_t n);
extern __attribute__((weak)) void *__interceptor_calloc(size_t n, size_t size);
extern __attribute__((weak)) void *__interceptor_realloc(void *p, size_t n);

void *
malloc(size_t n)
{
    if (fails())
        return NULL;
    return __interceptor_malloc ? __interceptor_malloc(n) : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
    if (fails())
        return NULL;
    return __interceptor_calloc ? __interceptor_calloc(n, size) : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
    if (fails())
        return NULL;
    return __interceptor_realloc ? __interceptor_realloc(p, n) : __libc_realloc(p, n);
}
