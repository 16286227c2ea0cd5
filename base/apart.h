/* apart.h - APART: a function that the compiler must not put into its callers.
 *
 * What a much used function does seldom would cost it on its common way too, once it is inlined: registers saved and
 * restored, a guarded stack for an array that is not needed. Counted by callgrind, a SET spent a twelfth of its
 * instructions so. For parts that run seldom or long; a part that always runs is better left to the compiler.
 */
#ifndef KVSTASH_BASE_APART_H
#define KVSTASH_BASE_APART_H

#define APART __attribute__((noinline))

#endif
