/* test_clients.c - the records of clients: none is left out because its owner lost the processor in the middle of a change. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command/clients.h"
#include "command/control.h"
#include "tests/crash/rig.h"

static size_t
count_clients(struct rig *k)
{
    size_t n = 0;
    struct client_view *all = clients_all(&k->engine, &n);
    cr_assert(all);
    free(all);
    return n;
}

/* What the owner does when it runs again. */
static pid_t
end_the_change_later(struct client_sh *r)
{
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid > 0)
        return pid;
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    atomic_fetch_add(&r->seq, 1);
    _exit(0);
}

Test(clients, are_all_seen_while_one_changes)
{
    struct rig k;
    struct session a = {.id = 1, .resp = 2, .fd = -1}, b = {.id = 2, .resp = 2, .fd = -1};
    int status;
    rig_open(&k, 20);
    k.engine.control->workers = 1;
    size_t before = count_clients(&k);
    cr_assert(clients_add(&k.engine, &a));
    cr_assert(clients_add(&k.engine, &b));
    cr_assert_eq(count_clients(&k), before + 2);
    atomic_fetch_add(&a.record->seq, 1);
    pid_t pid = end_the_change_later(a.record);
    cr_assert_eq(count_clients(&k), before + 2);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    atomic_fetch_add(&a.record->seq, 1);
    cr_assert_eq(count_clients(&k), before + 1, "one that stands still is not waited for without an end");
    atomic_fetch_add(&a.record->seq, 1);
    clients_remove(&k.engine, &a);
    cr_assert_eq(count_clients(&k), before + 1);
    clients_remove(&k.engine, &b);
    rig_close(&k);
}
