/* clock.h - what time it is, for people (wall clock) and for waiting (monotonic clock).
 *
 * The wall clock may be set back or forward; expiry times and what is shown to people are in it. Everything that measures
 * or waits uses the monotonic clock. For what has to be cheap there is ticks.h.
 *
 * Process: all. Locks: none. Fails: never.
 */
#ifndef KVSTASH_BASE_CLOCK_H
#define KVSTASH_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Wall clock: milliseconds since 1970. */
int64_t clock_wall_ms(void);
/* Monotonic clock: nanoseconds; the same in all processes of a machine. */
int64_t clock_ns(void);
/* That clock as a timespec, so many microseconds from now: for calls that wait until. */
struct timespec clock_after_us(int64_t us);

#endif
