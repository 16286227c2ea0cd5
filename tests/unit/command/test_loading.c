/* test_loading.c - the words of a load: whose error is told. */
#include <criterion/criterion.h>

#include "command/loading.h"

static struct loading_sh l;

static void
expect(enum loading_phase phase, const char *error)
{
    cr_assert_eq(atomic_load(&l.phase), phase);
    cr_assert_str_eq(l.error, error);
}

Test(loading, the_first_error_of_a_load_or_check_is_told)
{
    atomic_store(&l.attempt, 1);
    atomic_store(&l.phase, LOADING_RUNS);
    loading_fail(&l, "%s", "first");
    loading_fail(&l, "%s", "second");
    expect(LOADING_FAILED, "first");
}

Test(loading, a_check_is_refused)
{
    atomic_store(&l.phase, LOADING_CHECKS); /* before there is an attempt */
    loading_fail(&l, "%s", "first");
    loading_fail(&l, "%s", "second");
    expect(LOADING_REFUSED, "first");
}

/* Who had taken the writing died before the phase told of it. */
Test(loading, the_next_attempt_tells_what_a_dead_loader_did_not)
{
    atomic_store(&l.attempt, 1);
    atomic_store(&l.phase, LOADING_RUNS);
    loading_fail(&l, "%s", "half");
    atomic_store(&l.phase, LOADING_RUNS);
    loading_fail(&l, "%s", "the same attempt");
    expect(LOADING_RUNS, "half");
    atomic_fetch_add(&l.attempt, 1);
    loading_fail(&l, "%s", "again");
    expect(LOADING_FAILED, "again");
}
