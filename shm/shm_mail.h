/* shm_mail.h - messages between processes: sent if and only if the sender's transaction commits.
 *
 * Each process slot has a mailbox: a ring of bytes that its owner reads. A message is handed to a transaction, kept in private
 * memory, and written into the rings by the commit, under the registry lock MAIL, behind what can be read. What moves the
 * rings' heads are redo items: so it arrives at the commit point, whole, whatever the sender's death; before it, there is
 * nothing to take back. A message too long for its place lies in a chain of spans (shm_spill.h) that are the reader's to free.
 *
 *     sender     shm_mail_send(tx, ...) in a transaction; shm_tx_commit wakes those who sleep
 *     receiver   shm_mail_open; then shm_mail_next, shm_mail_read, shm_mail_take until there is none; shm_mail_sleep; ...
 *
 * Order: one lock for all boxes, held to the end of the transaction. So messages come in one order per receiver, that of the
 * commits, and what goes to several receivers is seen in the same order by all of them.
 *
 * Why a ring and not a chain of blocks pushed by compare-and-swap: a push that recovery may repeat must know whether it was
 * done, and the receiver may have taken the block off, freed it, and died meanwhile; a store of an absolute value may be
 * repeated as long as the journal holds the lock, and the receiver never writes what the sender writes.
 *
 * A full box: a message that must arrive makes the commit refuse (SHM_WANT_MAIL: park, and run again). Wake-ups and
 * invalidations may instead set the bit of their kind in the box's look word: the receiver looks at everything of that kind.
 *
 * Death of the receiver: what was sent to it vanishes. Addresses carry the generation of the slot's owner, which the commit
 * compares under the lock; whoever takes the slot over closes the box first, then frees what lay in it (shm_proc_take).
 *
 * Waking: store, fence, look on both sides. A sender that dies between its commit and the wake-up has an heir, which makes
 * everybody look (process_take).
 *
 * Process: all. Locks: MAIL, the highest rank, by the commit, open and close; the caller of these two holds no registry.
 * Crash: as above; a receiver that dies half-way through a message leaves it in the box, and it vanishes with the rest.
 * Fails: want of memory in tx->want, told by the commit.
 */
#ifndef KVSTASH_SHM_MAIL_H
#define KVSTASH_SHM_MAIL_H

#include "shm/shm_tx.h"

#define SHM_MAIL_INLINE 4096u /* bytes that lie in the ring; longer messages in spans */
#define SHM_MAIL_KINDS 64u

struct shm_mail_address {
    uint16_t slot;
    uint32_t generation; /* of the owner that is meant */
};

/* What becomes of a message that finds the box full. */
enum shm_mail_full {
    SHM_MAIL_PARK, /* the commit refuses */
    SHM_MAIL_LOOK, /* the receiver is told to look at everything of this kind; at most SHM_MAIL_INLINE bytes */
};

/* The front message of a box. */
struct shm_letter {
    uint32_t length;
    uint16_t kind, from; /* below SHM_MAIL_KINDS, of the upper layers' making; the sender's slot */
    shm_off spill;       /* 0: its bytes lie in the ring */
};

/* ---- sending: in a transaction ---- */

/* Adds a message to n addresses to what the commit sends. Want of private memory is told by the commit. */
void shm_mail_send(struct shm_tx *tx, const struct shm_mail_address *to, unsigned n, unsigned kind, enum shm_mail_full full,
    const char *bytes, size_t len);

/* ---- receiving: the slot's owner ---- */

/* From now on what is sent to the slot's present owner arrives; the box is empty. */
void shm_mail_open(struct shm_region *r, unsigned slot);
/* What is sent from now on is dropped; what lies in the box is freed. By the owner at its end, or by an heir that holds the
 * life lock, when the dead one's journal is finished. */
void shm_mail_close(struct shm_region *r, unsigned slot);
struct shm_mail_address shm_mail_address(const struct shm_region *r, unsigned slot);
/* The front message; false: none. */
bool shm_mail_next(const struct shm_region *r, unsigned slot, struct shm_letter *letter);
/* Copies its bytes (letter->length) out. */
void shm_mail_read(const struct shm_region *r, unsigned slot, const struct shm_letter *letter, char *out);
/* Done with it. */
void shm_mail_take(struct shm_region *r, unsigned slot, const struct shm_letter *letter);
/* Bits (1 << kind) of what the receiver has to look at as a whole, from now on; cleared by the call. */
uint64_t shm_mail_looks(struct shm_region *r, unsigned slot);
/* Says that the owner is going to sleep. False: there is mail, it must not. */
bool shm_mail_sleep(struct shm_region *r, unsigned slot);
void shm_mail_woken(struct shm_region *r, unsigned slot);

/* ---- the commit's side: shm_tx.c ---- */

/* How much was handed over so far, and back to that. */
size_t shm_mail_mark(const struct shm_tx *tx);
void shm_mail_rewind(struct shm_tx *tx, size_t mark);
/* Of a transaction with an outbox: writes the messages behind the heads, under MAIL, which it takes. False: tx->want. */
bool shm_mail_put(struct shm_tx *tx);
/* The i-th store that makes them arrive; false: there is none. */
bool shm_mail_store(const struct shm_tx *tx, unsigned i, shm_off *word, uint64_t *value);
/* Likewise: wakes the receivers that sleep. No lock is held. */
void shm_mail_wake(struct shm_tx *tx);
void shm_mail_forget(struct shm_tx *tx);

/* ---- the region check ---- */

/* NULL, or what is wrong with the box; senders and its reader may be at it meanwhile: what is wrong for long is a fault. */
const char *shm_mail_check(const struct shm_region *r, unsigned slot);
/* Does a message of the box lie in this span? */
bool shm_mail_holds(const struct shm_region *r, unsigned slot, uint64_t span);
/* Empties all boxes of a region that nobody else uses. */
void shm_mail_reset(struct shm_region *r);

#endif
