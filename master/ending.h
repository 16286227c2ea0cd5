/* ending.h - the way to the orderly end: whether the server may end yet, and whether it may end at all.
 *
 * SHUTDOWN and signals ask for the end by a number (command/control.h). If a last save is due, writers are held back first, so
 * that it has everything that was ever acknowledged; then the persister saves. If that fails, the end is refused, as in Redis,
 * and everybody goes on. The master's loop calls ending_look until the end has come; nothing here waits.
 *
 * Process: master. Locks: none.
 */
#ifndef KVSTASH_MASTER_ENDING_H
#define KVSTASH_MASTER_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "command/control.h"
#include "process/heritage.h"

enum ending_step { ENDING_NOT, ENDING_HOLDS, ENDING_SAVES };

struct ending {
    enum ending_step step;
    uint64_t number;  /* of the end in progress */
    uint64_t epoch;   /* HOLDS: when it has passed, no writer is under way any more */
    uint64_t save;    /* SAVES: number of the save that is waited for */
};

/* A signal asks for the end, with the flags of a parameter (enum control_end). */
void ending_ask(struct control_sh *c, uint64_t flags);
/* True: the server ends now. Call it in each round of the loop. */
bool ending_look(struct ending *e, const struct heritage *h, struct control_sh *c);

#endif
