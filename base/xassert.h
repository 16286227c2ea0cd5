/* xassert.h - asserts that stay on in production.
 *
 * A broken invariant of ours (never the client's input, never the world's state) ends the process:
 * in a worker that is cheap, because the data is elsewhere and a journal says what was half done.
 *
 * xassert(c)        always on; for what costs nothing beside the work around it
 * xassert_debug(c)  only with --enable-debug; for checks that walk or hash
 * never_reached(w)  a branch that cannot be; w says why, as a string
 */
#ifndef KVSTASH_BASE_XASSERT_H
#define KVSTASH_BASE_XASSERT_H

/* Writes the place and the text through the hook (or to stderr) and ends by abort(). */
_Noreturn void xassert_fail(const char *what, const char *file, int line, const char *function);

/* Called with the formatted last words before abort(); must be async-signal-safe. NULL: stderr only. */
void xassert_set_hook(void (*hook)(const char *last_words));

#define xassert(c) \
    (__builtin_expect(!!(c), 1) ? (void)0 : xassert_fail(#c, __FILE__, __LINE__, __func__))

#ifdef KVSTASH_DEBUG
#define xassert_debug(c) xassert(c)
#else
#define xassert_debug(c) ((void)sizeof(!!(c)))
#endif

#define never_reached(why) xassert_fail("never reached: " why, __FILE__, __LINE__, __func__)

#endif
