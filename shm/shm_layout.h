/* shm_layout.h - what lies in the region: constants, and every structure that more than one process sees.
 *
 * References are offsets from the region's base (shm_off), never pointers; 0 is "none". Integers are
 * fixed-size and little-endian. Each structure belongs to one class, which says who may change it and
 * what a death in the middle leaves:
 *
 *   T  transactional: changed only under its shard's (or registry's) lock, old content noted in the
 *      journal first; undone physically after a death.
 *   O  owner-tagged: free / claimed by a slot / used, changed by compare-and-swap only; never undone,
 *      claims of a dead slot are swept.
 *   Q  queue: published by one store or one compare-and-swap.
 *   S  single-writer statistics: relaxed stores by the owner, readers sum.
 *   C  cursor or control word with rules of its own, told where it stands.
 *
 *   file:  | header | shards | dbroots | registries | key slots | slots | journals | mailboxes | shared |
 *         hints | span words | rings | span metas | extents ... |
 *
 * The file is sparse; what is used is committed with fallocate first (shm_region.h), because touching a
 * hole of a full tmpfs is SIGBUS.
 */
#ifndef KVSTASH_SHM_LAYOUT_H
#define KVSTASH_SHM_LAYOUT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

typedef uint64_t shm_off;

#define SHM_MAGIC 0x486174735F56784BULL /* "KxV_staH" */
#define SHM_CORE_VERSION 7u             /* format of the durable part: class T and O structures */
#define SHM_BASE_ADDRESS 0x200000000000UL

#define SHM_EXTENT_BYTES (2u << 20)
#define SHM_SPAN_BYTES (32u << 10)
#define SHM_SPANS_PER_EXTENT (SHM_EXTENT_BYTES / SHM_SPAN_BYTES)
#define SHM_BLOCK_MIN 32u
#define SHM_BLOCK_MAX 8192u
#define SHM_CLASSES_MAX 128u

#define SHM_SHARDS_MAX 512u
#define SHM_REGISTRIES 16u /* lock ids behind the shards', ranks above them */
#define SHM_LOCKS_MAX (SHM_SHARDS_MAX + SHM_REGISTRIES)
#define SHM_HELD_WORDS 16u /* 1024 bits: shards + registries <= 1024 */
#define SHM_SLOTS_MAX 120u /* process slots; futex_waitv takes 128 words a call */
#define SHM_DATABASES_MAX 1024u
#define SHM_KEYSLOTS 16384u /* Redis Cluster's key slots: the leading 14 bits of a key's position */
#define SHM_KEYSLOT_BITS 14u

_Static_assert(SHM_LOCKS_MAX <= SHM_HELD_WORDS * 64, "a held bit for each lock");
_Static_assert(SHM_LOCKS_MAX < 2048, "the kernel marks at most 2048 locks of a dead holder");

/* ---- span words: class O, one atomic u64 per span ------------------------------------------------
 * [ generation : 32 | owner : 16 | class : 8 | state : 8 ]
 * The generation is raised at every change, so a repeated or late compare-and-swap fails harmlessly. */
enum shm_span_state {
    SHM_SPAN_UNCOMMITTED = 0, /* its extent has no memory: must not be touched */
    SHM_SPAN_FREE = 1,        /* owner and class are 0 */
    SHM_SPAN_CLAIMED = 2,     /* owner = process slot, class = what it is to be; swept if that slot dies */
    SHM_SPAN_USED = 3,        /* owner = shard (or registry lock id), class = what its blocks are */
    SHM_SPAN_QUARANTINE = 4,  /* free after all lock-free readers passed a quiescent point; owner unused */
};
/* Classes: block size classes 0 .. SHM_CLASSES_MAX-1, and these for spans used whole. */
#define SHM_CLASS_WHOLE 254u   /* one owner uses the whole span (undo chains, spills, client tables) */

static inline uint64_t
shm_span_word(uint32_t generation, uint16_t owner, uint8_t class, uint8_t state)
{
    return (uint64_t)generation << 32 | (uint64_t)owner << 16 | (uint64_t)class << 8 | state;
}
static inline uint8_t
shm_span_word_state(uint64_t w)
{
    return (uint8_t)w;
}
static inline uint8_t
shm_span_word_class(uint64_t w)
{
    return (uint8_t)(w >> 8);
}
static inline uint16_t
shm_span_word_owner(uint64_t w)
{
    return (uint16_t)(w >> 16);
}
static inline uint32_t
shm_span_word_generation(uint64_t w)
{
    return (uint32_t)(w >> 32);
}

/* ---- span meta: class T under the owning shard's lock while USED; private to the claimer before ---- */
struct shm_span_meta_sh {
    uint32_t used;       /* blocks in use = bits set in bitmap */
    uint32_t blocks;     /* blocks in the span, fixed by the class */
    uint32_t next, prev; /* span numbers + 1 in the shard's list of spans with room; 0 = end */
    uint32_t listed;     /* 1 if on that list */
    uint32_t class;      /* repeats the span word's, for the check */
    uint32_t owner;      /* likewise */
    uint32_t hint;       /* bitmap word at which to look first */
    uint64_t unused[4];
    uint64_t bitmap[16]; /* bit set = block in use */
};
_Static_assert(sizeof(struct shm_span_meta_sh) == 192, "64 spans' metas are three 4 KiB pages");

/* ---- trees: the hash-ordered index that keyspaces and large collections share (shm_table.h) -------- */
struct shm_tree_sh {
    uint64_t root;  /* T: 0, or the word of a node or a segment (shm_table.h) */
    uint64_t count; /* T: entries */
    uint64_t keep;  /* T: what a running snapshot needs of it: a struct shm_keep_sh (shm_keep.h); 0: nothing */
};

/* ---- one database of one shard: class T ---- */
struct shm_dbroot_sh {
    struct shm_tree_sh tree;
    uint64_t expires;    /* entries with an expiry */
    uint64_t expiry_sum; /* sum of their expiry times in ms (wraps), for avg_ttl */
};

/* Changed under the shard's lock only, or while its holder is dead. */
enum shm_shard_state { SHM_SHARD_ON = 0, SHM_SHARD_READONLY = 1, SHM_SHARD_OFF = 2 };

/* ---- a shard ---- */
struct shm_shard_sh {
    /* line 0: the lock. C */
    pthread_mutex_t lock;          /* robust, process-shared */
    _Atomic uint32_t long_holder;  /* S of the holder: slot + 1 of a holder that announces a long stay */
    _Atomic uint32_t parked;       /* C: number of parked commands that wait for this shard (a hint) */
    uint64_t pad0[2];
    /* line 1: what readers without the lock look at. C */
    _Atomic uint64_t seq;          /* odd while the shard changes */
    _Atomic uint64_t last_ticket;  /* newest ticket drawn under this lock */
    _Atomic uint32_t state;        /* enum shm_shard_state */
    _Atomic uint32_t faults;       /* holders that died of a fault since faults_ms; see shm_recover.h */
    _Atomic uint64_t faults_ms;    /* monotonic */
    uint64_t pad1[4];
    /* line 2: T */
    uint64_t used_bytes;           /* bytes of blocks and chunks in use by this shard */
    uint64_t reclaim_head;         /* list of detached big things to free in steps (shm_reclaim) */
    uint64_t reclaim_tail;
    uint64_t keeps;                /* what a running snapshot needs: list of struct shm_keep_sh; 0 without one */
    uint64_t unused[4];
    /* T: span number + 1 of the first span with room, by class */
    uint32_t room[SHM_CLASSES_MAX];
};
_Static_assert(sizeof(pthread_mutex_t) == 40, "glibc x86_64 and aarch64 (48 there: adjust pad0)");
_Static_assert(sizeof(struct shm_shard_sh) == 192 + 4 * SHM_CLASSES_MAX, "cache lines");

/* ---- registry locks: for what is not in a shard; ids follow the shards' ---- */
struct shm_registry_sh {
    pthread_mutex_t lock;
    _Atomic uint64_t seq; /* as in shards: odd while changed */
    uint64_t pad[2];
};

/* ---- the journal of a process slot (shm_tx.h tells the protocol) ---- */
enum shm_journal_state { SHM_JOURNAL_IDLE = 0, SHM_JOURNAL_ACTIVE = 1, SHM_JOURNAL_COMMITTED = 2 };

#define SHM_FLOOR_NONE UINT64_MAX /* "has not come to the drawing of a ticket" */

/* One redo item, run after the commit, repeatable: compare-and-swap of a span word; or, with SHM_REDO_STORE, a store into a
 * word that changes only under a lock which the transaction holds, of a value computed before the commit. */
#define SHM_REDO_STORE (1ull << 63)
struct shm_redo_sh {
    uint64_t span; /* span number; or SHM_REDO_STORE | offset of the word */
    uint64_t from; /* exact word that the transaction saw; of no meaning for a store */
    uint64_t to;
};

#define SHM_JOURNAL_BYTES (64u << 10)
#define SHM_UNDO_FIXED (32u << 10)
#define SHM_REDO_FIXED 512u     /* items in the fixed part */
#define SHM_UNDO_CHAIN_MAX 2048u /* spans chained behind the fixed part: 64 MiB, some 500,000 keys changed by one command */
#define SHM_REDO_CHAIN_MAX 160u  /* likewise: 218,000 spans taken or given back, 7 GB */

struct shm_journal_sh {
    /* line 0: what others read */
    _Atomic uint32_t state;      /* enum shm_journal_state */
    _Atomic uint32_t logged;     /* 1: commit point is the ring head; 0: it is state = COMMITTED */
    _Atomic uint64_t floor;
    _Atomic uint64_t ticket;     /* 0 = none drawn */
    _Atomic uint64_t commit_pos; /* ring head after the commit; UINT64_MAX while nothing is reserved */
    _Atomic uint64_t undo_bytes; /* end of the undo log; stored after the record, before the change */
    _Atomic uint64_t redo_count;
    _Atomic uint32_t follows;    /* raised before somebody follows this journal, cleared by the next begin */
    uint32_t unused;
    uint64_t transactions;       /* S: begun so far; makes a claim's tag in traces readable */
    /* lines 1, 2 */
    _Atomic uint64_t held[SHM_HELD_WORDS];
    /* line 3 */
    pthread_mutex_t recover;     /* robust: who finishes this journal for a dead owner holds it */
    uint64_t pad[3];
    /* chains: offsets of spans claimed by this slot */
    _Atomic uint64_t undo_chain[SHM_UNDO_CHAIN_MAX];
    _Atomic uint64_t redo_chain[SHM_REDO_CHAIN_MAX];
    struct shm_redo_sh redo[SHM_REDO_FIXED];
    uint8_t undo[SHM_UNDO_FIXED];
};
_Static_assert(sizeof(struct shm_journal_sh) <= SHM_JOURNAL_BYTES, "fixed part of a journal");

/* ---- the log ring of a process slot: Q, one writer and one reader (shm_ring.h) ----
 * Units of one cache line; a record is a unit with its head, and as many behind it as its payload fills. Positions count units
 * and never wrap; a payload may go on at the ring's beginning. */
#define SHM_RING_UNIT 64u
#define SHM_RING_UNITS 65536u
#define SHM_RECORD_INLINE 16320u /* the longest payload that lies in the ring */
#define SHM_RECORD_UNITS_MAX (1 + SHM_RECORD_INLINE / SHM_RING_UNIT)

struct shm_record_sh {
    uint64_t ticket;
    uint64_t transaction;
    uint32_t length;   /* bytes of payload */
    uint32_t crc;      /* 0: not used */
    uint16_t database; /* of the first effect */
    uint16_t flags;
    uint32_t effects;  /* commands in the payload */
    uint64_t spill;    /* 0: payload in the ring; else offset of the first spill span (shm_ring.h), which the reader frees */
    uint64_t trace;
    uint64_t unused[2];
};
_Static_assert(sizeof(struct shm_record_sh) == SHM_RING_UNIT, "a record's head is one unit");

struct shm_ring_sh {
    _Atomic uint64_t head; /* written by the slot's owner (and its recovery): units published */
    uint64_t pad0[7];
    _Atomic uint64_t tail; /* written by the reader: units that are the writer's again */
    /* the reader's note of the spill span that it is about to free: who takes over finishes that */
    _Atomic uint64_t freeing;      /* number of the span + 1; 0: none. Stored after the next two */
    uint64_t freeing_word, freeing_next;
    uint64_t pad1[4];
    char unit[SHM_RING_UNITS][SHM_RING_UNIT];
};

/* ---- process slots ---- */
enum shm_proc_kind {
    SHM_PROC_NONE = 0,
    SHM_PROC_WORKER,
    SHM_PROC_HOUSEKEEPER,
    SHM_PROC_PERSISTER,
    SHM_PROC_REPLICATOR,
    SHM_PROC_CLUSTER,
    SHM_PROC_EXPORTER,
    SHM_PROC_MASTER,
    SHM_PROC_LOADER,
    SHM_PROC_TOOL, /* test programs and checks */
};
enum shm_proc_state {
    SHM_PROC_VACANT = 0, /* nobody; may be given to a successor */
    SHM_PROC_STARTING,
    SHM_PROC_UP,         /* serving */
    SHM_PROC_DRAINING,
    SHM_PROC_DEAD,       /* seen dead, not yet recovered and swept */
};

#define SHM_PANIC_BYTES 1024u
#define SHM_EPOCH_QUIESCENT UINT64_MAX

struct shm_slot_sh {
    /* line 0 */
    pthread_mutex_t life;           /* robust; held by the owner's main thread while it lives */
    _Atomic uint32_t generation;    /* raised when a successor takes the slot over */
    _Atomic uint32_t kind;          /* enum shm_proc_kind */
    _Atomic uint32_t state;         /* enum shm_proc_state */
    _Atomic uint32_t pid;
    uint64_t pad0[1];
    /* line 1: S, read by others */
    _Atomic uint64_t epoch;         /* region epoch at which it last was quiescent-free; see shm_epoch.h */
    _Atomic uint64_t progress;      /* bumped every loop turn and inside long loops */
    _Atomic uint64_t heartbeat_ns;  /* monotonic time of the last loop turn */
    _Atomic uint32_t sleeping;      /* 1 between "about to wait" and "woken" */
    _Atomic uint32_t restarts;      /* successors since the region's creation */
    _Atomic uint32_t tid;
    _Atomic uint32_t wanted;        /* C: bits other processes set, enum in shm_proc.h */
    uint64_t pad1[3];
    /* line 2 */
    _Atomic int64_t started_ms;
    _Atomic uint64_t own_spans;     /* O: list of spans that the owner keeps for itself: struct shm_own_span_sh */
    uint64_t pad2[6];
    char panic[SHM_PANIC_BYTES];    /* last words, NUL-terminated; written by a dying owner */
};

/* How a span begins that a slot has claimed for structures of its own (client records): they end with their owner. */
struct shm_own_span_sh {
    uint32_t magic, slot;
    _Atomic uint64_t next; /* offset of the next of the slot's own spans, 0 at the end */
};

/* ---- the mailbox of a process slot: Q, written under the lock MAIL, read by the slot's owner (shm_mail.h) ---- */
#define SHM_MAIL_BYTES (64u << 10)

struct shm_mailbox_sh {
    _Atomic uint64_t head;   /* bytes ever put in; stored by redo items of the transactions that sent them */
    _Atomic uint64_t look;   /* likewise; the reader clears it: bits of kinds that found no room */
    _Atomic uint32_t reader; /* C: generation of the owner that reads it; 0: nobody, what is sent is dropped. Under MAIL */
    uint32_t pad0[11];
    _Atomic uint64_t tail;   /* bytes ever taken out: the reader's, or of who closes the box of a dead one */
    uint64_t pad1[7];
    char bytes[SHM_MAIL_BYTES]; /* of position p: p % SHM_MAIL_BYTES */
};

/* ---- header ---- */
enum shm_region_state {
    SHM_REGION_CREATING = 0,
    SHM_REGION_LOADING = 1, /* its data are being made from files: worth nothing until READY, never attached */
    SHM_REGION_READY = 2,
    SHM_REGION_GATED = 3,   /* its data are whole, and nobody but who closed the gate may touch them (shm_gate.h) */
};
#define SHM_REGION_SHUT 1u /* this bit of the state: the gate is closed */
_Static_assert((SHM_REGION_LOADING & SHM_REGION_GATED & SHM_REGION_SHUT) && !((SHM_REGION_READY | SHM_REGION_CREATING) & SHM_REGION_SHUT),
    "the bit tells it");

struct shm_header_sh {
    uint64_t magic;
    uint32_t core_version;
    uint32_t page_kind;         /* enum shm_pages in shm_region.h: what was got at creation */
    uint64_t bytes;             /* size of the mapping and of the file */
    uint64_t layout_crc;        /* crc64 of the fields from here to `sizes_end`: the geometry */
    uint32_t shards, shard_bits, databases, slots;
    uint64_t off_shards, off_dbroots, off_registries, off_keyslots, off_slots, off_journals, off_mailboxes,
        off_shared, off_extent_hints, off_span_words, off_rings, off_span_metas, off_extents;
    uint64_t shared_bytes;      /* room at off_shared for what upper layers keep (command/control.h) */
    uint64_t extents, spans;    /* how many fit */
    uint64_t hash_seed;
    uint8_t lineage[16];
    char boot_id[40];
    uint64_t sizes_end;

    _Alignas(64) _Atomic uint32_t state; /* enum shm_region_state */
    _Atomic uint64_t master_pid;
    _Atomic int64_t created_ms;
    pthread_mutex_t master_life;

    _Alignas(64) _Atomic uint64_t ticket; /* next ticket to draw; starts at 1. C */
    _Alignas(64) _Atomic uint64_t mode;   /* the mode word: fencing token : 32, role : 8, log : 8, configuration generation : 16. C */
    _Alignas(64) _Atomic uint64_t snapshot_epoch; /* births are stamped with it; raised at a cut. C */
    _Atomic uint64_t cut_broken;  /* epoch of the snapshot that was given up last (shm_cut.h). C */
    _Alignas(64) _Atomic uint64_t epoch;          /* memory reclamation epoch, raised by the housekeeper */
    _Alignas(64) _Atomic uint64_t committed_extents; /* by the housekeeper only */
    _Atomic uint64_t committed_limit;   /* extents that may be committed: maxmemory of the machine */
    _Alignas(64) _Atomic uint64_t free_spans; /* S of the housekeeper: about how many spans are FREE (shm_span_count_free) */
    _Atomic uint64_t commit_wanted;     /* raised by who found the pool empty */
    _Atomic uint32_t ring_slots;        /* so many of the first slots have memory for their log rings (shm_ring_commit) */
    _Alignas(64) _Atomic uint64_t private_bytes[SHM_SLOTS_MAX]; /* S: private memory of each slot */
};

#endif
