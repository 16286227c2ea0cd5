/* xassert.c - the end of a process that found one of its own invariants broken.
 *
 * Process: all. Crash: this is one; the hook writes the last words where the master finds them.
 */
#include "base/xassert.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void (*last_words_hook)(const char *);

void
xassert_set_hook(void (*hook)(const char *last_words))
{
    last_words_hook = hook;
}

void
xassert_fail(const char *what, const char *file, int line, const char *function)
{
    char text[512];
    int n = snprintf(text, sizeof text, "ASSERTION FAILED: %s, in %s at %s:%d\n", what, function, file, line);
    if (n > (int)sizeof text - 1)
        n = (int)sizeof text - 1;
    if (last_words_hook)
        last_words_hook(text);
    ssize_t written = write(STDERR_FILENO, text, (size_t)n);
    (void)written;
    abort();
}
