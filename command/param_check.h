/* param_check.h - the forms of parameters that are neither plain text nor a number (see param.h for the contract).
 *
 * Each function writes the usual form of the value into v->text and returns NULL, or returns what is wrong, in Redis's
 * words. Process: all. Locks: none.
 */
#ifndef KVSTASH_COMMAND_PARAM_CHECK_H
#define KVSTASH_COMMAND_PARAM_CHECK_H

#include "command/param.h"

#define PARAM_BIND_MAX 16

param_check_fn param_check_bind, param_check_title, param_check_oom_values, param_check_save, param_check_file_name, param_check_replicaof,
    param_check_percentiles, param_check_events, param_check_hostname;

/* client-output-buffer-limit: changes the named classes of v->output. */
const char *param_check_output_limit(int argc, const struct param_arg *argv, struct param_value *v);
extern const char *const param_output_classes[PARAM_OUTPUT_CLASSES]; /* as CONFIG GET shows them */

/* Bytes with a unit. Beyond 64 bits it is the largest number. */
bool param_read_memory(const char *text, size_t len, uint64_t *bytes);

#endif
