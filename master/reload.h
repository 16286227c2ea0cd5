/* reload.h - SIGHUP: the file is read anew, and the parameters in it that can change do.
 *
 * What the file (or environment, command line) names now or named before takes the value that it has there now; what nobody
 * names stays as CONFIG SET left it. A mistake changes nothing. The values are handed to the housekeeper, who may take the
 * lock CONFIG; the master takes none.
 *
 * Process: master.
 */
#ifndef KVSTASH_MASTER_RELOAD_H
#define KVSTASH_MASTER_RELOAD_H

#include "command/control.h"
#include "master/settings.h"

/* True: done, or refused with a line in the log. False: the last one is still being taken over; try later. */
bool reload(struct settings *last, const struct options *o, struct control_sh *control);

#endif
