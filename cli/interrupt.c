/* interrupt.c - SIGINT and SIGTERM as a word to look at (see interrupt.h).
 *
 * The idea: the handler stores a word and no more; the tool looks at it between two pieces of work, ends as if its work were done so far,
 * and leaves whole files behind. Each handler is for one signal: who sends it again ends a tool that does not come to look.
 */
#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t seen;

static void
on_signal(int number)
{
    (void)number;
    seen = 1;
}

void
interrupt_catch(void)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool
interrupt_seen(void)
{
    return seen != 0;
}
