/* shm_crash.h - points at which a test build can be told to die.
 *
 * A build with --enable-crash-points counts every point passed in this process; at the armed number the process ends
 * by SIGKILL, as if the kernel had chosen that instruction. Points stand before and after each store that other
 * processes can see on the write path, in the commit, in redo and undo, and in recovery. Otherwise they are nothing.
 * The same build can let the n-th claim of a span, or the n-th commit of an extent, be refused.
 */
#ifndef KVSTASH_SHM_CRASH_H
#define KVSTASH_SHM_CRASH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef KVSTASH_CRASH_POINTS
/* Die at the n-th point from now on; 0 disarms. */
void shm_crash_arm(uint64_t n);
/* Stop (SIGSTOP) at the n-th point instead: to be killed there, or to go on after SIGCONT. */
void shm_crash_arm_stop(uint64_t n);
/* From now on each point looks at this word, too: a number there arms it, and is taken away. So another process can choose where
 * this one dies. */
void shm_crash_watch(_Atomic uint64_t *asked);
/* Called just before the process dies or stops at a point: tests note what it was about. */
void shm_crash_set_hook(void (*hook)(void));
/* Points passed since the last arming. */
uint64_t shm_crash_passed(void);
void shm_crash_point(void);
#define SHM_POINT() shm_crash_point()
/* Lets the n-th taking of memory from the region from now on fail, and only that; 0 disarms. */
void shm_crash_fail(uint64_t n);
bool shm_crash_fails(void);
/* Is the armed failure still to come? */
bool shm_crash_fail_pending(void);
#define SHM_FAILS() shm_crash_fails()
/* From now on every point, and those that are for races alone, may be a pause of up to 100 us, one in so many; 0: none.
 * shm_crash_races_asked: as the environment's KVSTASH_RACES says. Two cores show then what twenty would. */
void shm_crash_races(unsigned one_in);
void shm_crash_races_asked(void);
void shm_crash_race(void);
#define SHM_RACE_POINT() shm_crash_race()
#else
#define shm_crash_watch(asked) ((void)(asked))
#define shm_crash_races_asked() ((void)0)
#define SHM_RACE_POINT() ((void)0)
#define SHM_POINT() ((void)0)
#define SHM_FAILS() false
#endif

#endif
