/* panic.c - the handler of fatal signals (see panic.h).
 *
 * It runs on its own stack, so that an overflow of the ordinary one is told too.
 */
#include "process/panic.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STACK_BYTES 65536

/* The process's own slot: a signal handler has no other way to it. */
static struct shm_slot_sh *own;
static _Alignas(16) char stack[STACK_BYTES];

static void
end_now(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static void
on_assert(const char *last_words)
{
    size_t n = strnlen(last_words, SHM_PANIC_BYTES - 1);
    memcpy(own->panic, last_words, n);
    own->panic[n] = '\0';
    end_now();
}

/* Hexadecimal by hand: printf is not async-signal-safe. */
static char *
put_hex(char *to, uintptr_t v)
{
    for (int shift = sizeof v * 8 - 4; shift >= 0; shift -= 4)
        *to++ = "0123456789abcdef"[v >> shift & 15];
    return to;
}

static void
on_signal(int number, siginfo_t *info, void *context)
{
    static const char words[] = "fatal signal ", at[] = " at address 0x";
    char *p = own->panic;
    (void)context;
    if (*p == '\0') {
        memcpy(p, words, sizeof words - 1);
        p += sizeof words - 1;
        *p++ = (char)('0' + number / 10);
        *p++ = (char)('0' + number % 10);
        memcpy(p, at, sizeof at - 1);
        p = put_hex(p + sizeof at - 1, (uintptr_t)info->si_addr);
        *p = '\0';
    }
    end_now();
}

void
panic_install(struct shm_region *r, unsigned slot)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE};
    struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND};
    own = &r->slots[slot];
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++)
        sigaction(fatal[i], &a, NULL);
    xassert_set_hook(on_assert);
}
