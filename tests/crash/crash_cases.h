/* crash_cases.h - the changes in whose middle the crash tests let processes die: every writing command, in the states
 * that make it take another path, and the housekeeper's steps. */
#ifndef KVSTASH_TESTS_CRASH_CASES_H
#define KVSTASH_TESTS_CRASH_CASES_H

#include <stdbool.h>

struct crash_case {
    const char *before;  /* lines that make the old state; NULL: nothing */
    const char *change;  /* one line */
    const char *keys;    /* whose values the bystander looks at; NULL: "k" */
    bool steps;          /* several transactions: states between are right as well */
    bool flushes;        /* the bystander's keys may vanish with it */
};

extern const struct crash_case crash_cases[];
extern const unsigned crash_cases_count;

#endif
