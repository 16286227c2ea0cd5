/* cli_format.h - replies as text.
 *
 * Three formats: typed, for people on a terminal; raw, for pipes; JSON. The first two are those of redis-cli 7.0.15, byte for
 * byte, except that attributes are left out and big numbers shown, which redis-cli fails on.
 * Process: kvstash-cli. Fails: memory is the buffer's sticky flag.
 */
#ifndef KVSTASH_CLI_CLI_FORMAT_H
#define KVSTASH_CLI_CLI_FORMAT_H

#include "base/buf.h"
#include "resp/resp_read.h"

/* Appends the reply, with an end of line if nothing else is said. */
typedef void cli_format(struct buf *to, const struct resp_value *reply);

cli_format cli_format_typed, cli_format_raw, cli_format_json;
/* Raw without an end of line: for texts that bring their own. */
cli_format cli_format_text;

#endif
