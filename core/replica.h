/* SPDX-License-Identifier: MIT */
/* A replica: an open store as typed calls, with the locks that its driver
 * asks for and the limits that the driver interface promises it.  The only
 * file that calls store ops is replica.c; notes, identity and writes are
 * built on it. */

#ifndef TALLY_REPLICA_H
#define TALLY_REPLICA_H

#include <pthread.h>
#include <stdbool.h>

#include <tally/driver.h>

#include "buf.h"
#include "hlc.h"
#include "registry.h"
#include "seqset.h"
#include "timesource.h"
#include "witness.h"

#define REPLICA_ID_SIZE 16
#define REPLICA_ID_TEXT (2 * REPLICA_ID_SIZE + 1)

/* A collection as a store knows it, with its NUL: ACCOUNT:NAME on a server,
 * NAME alone elsewhere. */
#define COLLECTION_TEXT_MAX 256

struct replica_setup {
  const struct driver *driver;
  const struct tally_value *values;
  unsigned flags;          /* TALLY_OPEN_* */
  const char *name;        /* for messages */
  const char *path;        /* where it is stored, or NULL: nowhere */
  struct witness *witness; /* instead of the attribute of path; or NULL */
  const char *place;       /* what names this machine, run and file; NULL: find
                              out from path */
  const struct tally_host *host;  /* lives as long as the replica */
  const struct time_source *time; /* NULL: the system's */
  uint64_t max_skew_ms;
  uint64_t keep_deleted_ms; /* 0: tombstones never grow too old */
};

struct replica {
  const struct tally_store *ops;
  void *handle;
  pthread_mutex_t *lock; /* held in every call of an op; NULL: not needed */
  pthread_mutex_t own_lock;
  unsigned flags;
  char *name;
  const struct tally_host *host;
  struct time_source time;
  uint64_t max_skew_ms;
  uint64_t keep_deleted_ms;
  struct hooks *hooks;

  /* Rises with each put through this replica, for those who wait. */
  pthread_mutex_t puts_lock;
  pthread_cond_t put;
  uint64_t puts;
  struct seqset live; /* see replica_live_up_to; under the same lock */

  /* Guards all below. */
  pthread_mutex_t identity_lock;
  unsigned char id[REPLICA_ID_SIZE];
  uint32_t *clients; /* every client id this store wrote under */
  size_t n_clients;
  char *place;
  char *path;              /* as in the setup */
  struct witness *witness; /* likewise */
  bool remembered;         /* by the file, when the client was drawn */
  struct hlc clock;
  uint64_t clock_until_ms; /* stamps up to here are ours to give */
  uint64_t clock_span_ms;  /* how much was reserved last; 0: nothing yet */
  uint64_t clock_noted_ms; /* what the clock note is known to say */
  bool warned_behind;
  uint64_t agreed_ms;     /* when another clock last agreed; 0: never */
  struct buf collections; /* the fallback's list, as names with NULs */
  bool mtimes_shown;      /* see mtime.h */
  uint64_t mtimes_asked_ms;
  const struct config_endpoint *section; /* it declares indexes; or NULL */

  pthread_mutex_t known_lock;          /* guards what follows, and no call */
  struct indexes_known *indexes_known; /* see indexes.h; NULL: nothing yet */
};

/* Opens the store and wakes its identity up.  With TALLY_OPEN_READONLY
 * nothing is written, and a store that never had an identity has none. */
int replica_open (struct replica **out, const struct replica_setup *setup,
                  struct tally_error *err);
void replica_close (struct replica *replica);

/* ---- documents: see the slots of the same name in driver.h -------------- */

/* What this thread gets, finds and reads of notes until it releases it is one
 * snapshot, where the driver has such; nobody else gets at the store, so it
 * must not take long, and no lock be taken under which the store is called. */
int replica_hold (struct replica *replica, struct tally_error *err);
void replica_release (struct replica *replica);

int replica_get (struct replica *replica, const char *collection,
                 const struct tally_slice *ids, size_t n, unsigned flags,
                 tally_emit_doc *emit, void *ctx, struct tally_error *err);

/* Whole documents, each of which was held against its revision: of a store
 * that keeps revisions elsewhere this reads half as much.  TALLY_CORRUPT: one
 * is damaged. */
int replica_read (struct replica *replica, const char *collection,
                  const struct tally_slice *ids, size_t n,
                  tally_emit_doc *emit, void *ctx, struct tally_error *err);

/* Also splits what is more than one call may take. */
int replica_put (struct replica *replica, const struct tally_entry *entries,
                 size_t n, unsigned flags, struct tally_outcome *outcomes,
                 struct tally_error *err);

/* The same, and nothing is raised for those to whom times are shown
 * (mtime.h): for who does that. */
int replica_put_unraised (struct replica *replica,
                          const struct tally_entry *entries, size_t n,
                          unsigned flags, struct tally_outcome *outcomes,
                          struct tally_error *err);

/* The same for another origin than this machine's application, as hooks are
 * told; origin NULL: they are not, since nothing changes for them. */
struct origin;
int replica_put_by (struct replica *replica, const struct origin *origin,
                    const struct tally_entry *entries, size_t n,
                    unsigned flags, struct tally_outcome *outcomes,
                    struct tally_error *err);

/* How many of the entries one call of the driver may take. */
size_t replica_batch_size (const struct replica *replica,
                           const struct tally_entry *entries, size_t n);

/* The same without rows of indexes, see indexes.h. */
int replica_put_plain (struct replica *replica,
                       const struct tally_entry *entries, size_t n,
                       unsigned flags, struct tally_outcome *outcomes,
                       struct tally_error *err);

/* One call of the driver, of what replica_make_batch made. */
int replica_put_slot (struct replica *replica,
                      const struct tally_entry *entries, size_t n,
                      unsigned flags, struct tally_outcome *outcomes,
                      struct tally_error *err);

/* The last number of those that follow seq without a gap and are of documents
 * that this handle wrote, or was told that they are there, alive; seq: there
 * are none. */
uint64_t replica_live_up_to (struct replica *replica, uint64_t seq);

/* Headers that were listed. */
void replica_note_listed (struct replica *replica,
                          const struct tally_doc *headers, size_t n);

/* Of a put that succeeded; for replica-put.c. */
void replica_note_live (struct replica *replica,
                        const struct tally_entry *entries,
                        const struct tally_outcome *outcomes, size_t n);

int replica_changes (struct replica *replica, const char *collection,
                     uint64_t since, tally_emit_doc *emit, void *ctx,
                     uint64_t *head, struct tally_error *err);

/* Live documents by (stamp, id): see scan in driver.h.  Where the driver has
 * none (replica-scan.c) a document that is written meanwhile may be left out,
 * or emitted in its newer state, or both; all others are emitted once. */
int replica_scan (struct replica *replica, const char *collection,
                  const struct tally_position *from,
                  const struct tally_position *to, tally_emit_doc *emit,
                  void *ctx, uint64_t *seq, struct tally_error *err);

/* False: each scan walks over all headers. */
bool replica_can_scan (const struct replica *replica);

/* Both, over all of a collection that has a digest, and the walk of walk.h
 * hold the number of live documents against it (replica-count.c):
 * TALLY_CORRUPT, and all was emitted that could be read.  What is written
 * meanwhile is no difference. */
bool replica_counts (const struct replica *replica, const char *collection);

/* What they are made of: the slots. */
int replica_changes_slot (struct replica *replica, const char *collection,
                          uint64_t since, tally_emit_doc *emit, void *ctx,
                          uint64_t *head, struct tally_error *err);
int replica_scan_slot (struct replica *replica, const char *collection,
                       const struct tally_position *from,
                       const struct tally_position *to, tally_emit_doc *emit,
                       void *ctx, uint64_t *seq, struct tally_error *err);

/* `walk` goes over all of the collection once more, as whoever saw `live` of
 * them did. */
typedef int replica_walk (struct replica *replica, const char *collection,
                          tally_emit_doc *emit, void *ctx,
                          struct tally_error *err);
int replica_check_count (struct replica *replica, const char *collection,
                         uint64_t live, replica_walk *walk,
                         struct tally_error *err);

/* The digest of a collection that is not local.  flags: TALLY_DIGEST_ANEW.
 * Where the driver keeps none it costs a walk over all headers. */
int replica_digest (struct replica *replica, const char *collection,
                    unsigned flags, struct tally_digest *out,
                    struct tally_error *err);
bool replica_keeps_digest (const struct replica *replica);

/* What these are made of where the driver has no slots. */
int replica_scan_changes (struct replica *replica, const char *collection,
                          const struct tally_position *from,
                          const struct tally_position *to,
                          tally_emit_doc *emit, void *ctx, uint64_t *seq,
                          struct tally_error *err);
int replica_digest_changes (struct replica *replica, const char *collection,
                            struct tally_digest *out, struct tally_error *err);

int replica_check_digests (struct replica *replica, struct tally_error *err);

/* The entries of one put as a driver gets them (replica-batch.c): without meta
 * where it is plain, and with fingerprints for one that keeps digests.  To be
 * freed also after a failure. */
struct replica_batch {
  struct tally_entry *entries;
  unsigned char (*prints)[2][TALLY_FINGERPRINT_SIZE]; /* add, subtract */
};

int replica_make_batch (struct replica_batch *batch,
                        const struct tally_entry *entries, size_t n,
                        bool prints, struct tally_error *err);
void replica_free_batch (struct replica_batch *batch);

/* A tally_emit_doc that passes on what a driver emitted, with its meta. */
struct replica_emit {
  tally_emit_doc *emit;
  void *ctx;
};

int replica_emit_whole (void *ctx, const struct tally_doc *doc);

/* As find in driver.h, where there is that slot. */
bool replica_can_find (const struct replica *replica);
int replica_find (struct replica *replica, const char *collection,
                  const struct tally_slice *from, const struct tally_slice *to,
                  unsigned flags, tally_emit_doc *emit, void *ctx,
                  struct tally_error *err);

/* False: all are looked at by id. */
bool replica_can_search (const struct replica *replica);

/* Documents lie in the order of their ids, and can be walked through and
 * counted: so to read all of them, or to write new ones, in that order is what
 * costs least.  Where they lie as they arrived the order of stamps is kept as
 * an index beside: written in another order, each batch would write all of
 * that anew. */
bool replica_lies_by_id (const struct replica *replica);
int replica_search (struct replica *replica, const char *collection,
                    uint64_t since, tally_wants *wants, tally_emit_doc *emit,
                    void *ctx, struct tally_error *err);

/* False when each put is of one entry: there is no TALLY_PUT_ALL. */
bool replica_has_batches (const struct replica *replica);

/* Every collection, also local ones, in bytewise order. */
int replica_collections (struct replica *replica, tally_emit_name *emit,
                         void *ctx, struct tally_error *err);

/* False: it is kept in a note. */
bool replica_keeps_collections (const struct replica *replica);

/* Where the driver keeps no list (replica-list.c): adds a name to it, before
 * its first document is written, and emits it in order. */
int replica_list (struct replica *replica, const char *name,
                  struct tally_error *err);
int replica_emit_listed (struct replica *replica, tally_emit_name *emit,
                         void *ctx, struct tally_error *err);

/* Up to where somebody has looked at a store; begins as zeros. */
struct replica_watch {
  uint64_t head;
  unsigned pause_ms;
};

/* Waits until something was put since the last look, also by another process,
 * or timeout_ms are over, or the host says TALLY_CANCELLED (replica-wait.c).
 * The first look finds whatever there is. */
int replica_wait (struct replica *replica, struct replica_watch *watch,
                  unsigned timeout_ms, bool *moved, struct tally_error *err);

/* What it is made of: the slot, if the driver has one. */
bool replica_can_wait (const struct replica *replica);
int replica_wait_slot (struct replica *replica, uint64_t since,
                       unsigned timeout_ms, uint64_t *head,
                       struct tally_error *err);
void replica_init_wait (struct replica *replica);
void replica_free_wait (struct replica *replica);
void replica_tell_put (struct replica *replica);

/* Reads through the store where its driver can, and holds the digests that it
 * keeps against its documents.  TALLY_CORRUPT: something in it is damaged. */
int replica_check (struct replica *replica, struct tally_error *err);

/* ---- notes -------------------------------------------------------------- */

/* Fills `value`; *found false: there is none. */
int replica_note_get (struct replica *replica, const char *key,
                      struct buf *value, bool *found, struct tally_error *err);

/* As note_put in driver.h. */
int replica_note_put (struct replica *replica, const char *key,
                      const struct tally_slice *expected,
                      const struct tally_slice *value,
                      struct tally_error *err);

int replica_note_list (struct replica *replica, const char *prefix,
                       tally_emit_name *emit, void *ctx,
                       struct tally_error *err);

/* The reserved collection of a store without note slots. */
#define NOTES_COLLECTION "_notes"

/* Notes in NOTES_COLLECTION (notes.c). */
int notes_fallback_get (struct replica *replica, const char *key,
                        tally_emit_bytes *emit, void *ctx,
                        struct tally_error *err);
int notes_fallback_put (struct replica *replica, const char *key,
                        const struct tally_slice *expected,
                        const struct tally_slice *value,
                        struct tally_error *err);
int notes_fallback_list (struct replica *replica, const char *prefix,
                         tally_emit_name *emit, void *ctx,
                         struct tally_error *err);

/* ---- who (identity.c) --------------------------------------------------- */

/* Reads or makes the replica id, client and clock; draws a fresh client when
 * the store woke up somewhere else. */
int identity_wake (struct replica *replica, const struct replica_setup *setup,
                   struct tally_error *err);

/* Draws a fresh client id: this store is not the one that its peers knew. */
int identity_renew (struct replica *replica, struct tally_error *err);

/* Takes the client id from the note, where another process may have put a
 * fresh one.  The caller holds identity_lock. */
int identity_follow (struct replica *replica, struct tally_error *err);

/* The client id under which LinvoDB's clients write here, or with `of` that
 * for what comes from one of its servers: they bring times of their own, which
 * must not be taken for stamps of this store's clock.  Drawn afresh whenever
 * the store's own is. */
int identity_dialect (struct replica *replica, const char *of,
                      uint32_t *client, struct tally_error *err);

/* Takes another replica id, for a store whose copy goes by the same. */
int identity_rename (struct replica *replica, struct tally_error *err);

void replica_id (struct replica *replica, unsigned char id[REPLICA_ID_SIZE]);
void replica_id_text (const unsigned char id[REPLICA_ID_SIZE],
                      char out[REPLICA_ID_TEXT]);
bool replica_id_from_text (unsigned char id[REPLICA_ID_SIZE],
                           struct tally_slice text);

/* The id that this store writes under. */
uint32_t replica_client (struct replica *replica);

/* A copy of every client id of this store; free it. */
int replica_clients (struct replica *replica, uint32_t **clients, size_t *n,
                     struct tally_error *err);

/* ---- when (clock.c) ----------------------------------------------------- */

/* A stamp for a local write to a document whose newest stamp is `newest`
 * (NULL: none).  Waits a moment on a document that runs ahead of the clock. */
int replica_stamp (struct replica *replica, const struct stamp *newest,
                   struct stamp *out, struct tally_error *err);

/* Moves the clock past a stamp from elsewhere, unless it is beyond max_skew
 * of the wall. */
void replica_seen (struct replica *replica, const struct stamp *stamp);

/* The same, durably: whatever becomes of this process, later stamps of this
 * store are above it. */
int replica_pass (struct replica *replica, const struct stamp *stamp,
                  struct tally_error *err);

/* A fresh client id, of which other processes that have the store open hear
 * with their next span of time at the latest. */
int clock_rename (struct replica *replica, struct tally_error *err);

/* Takes notice of what time it is elsewhere. */
void replica_compare_clock (struct replica *replica, uint64_t far_wall_ms);

/* True when somebody else's clock agreed with ours lately. */
bool replica_clock_agrees (struct replica *replica);

/* True when it is at most max_skew from ours. */
bool replica_agrees (const struct replica *replica, uint64_t far_wall_ms);

/* Notes, durably, that it was this time when something from elsewhere was
 * taken; before it is.  Seldom a write. */
int replica_mark (struct replica *replica, uint64_t wall_ms,
                  struct tally_error *err);

/* Whether the store may hold stamps beyond max_skew of the wall, or a repair
 * of such is not done.  It was written, or took something, when its clock
 * showed a later time than now. */
int replica_is_ahead (struct replica *replica, bool *ahead,
                      struct tally_error *err);

/* The beginning of a repair: a fresh client id, and for it a clock that
 * starts at the wall.  The store is ahead until repair.c says otherwise; one
 * that was begun is left as it is. */
int clock_restart (struct replica *replica, struct tally_error *err);

/* Has the file remember that no stamp of the store's client has reached
 * until_ms.  False: it cannot. */
bool clock_witness (struct replica *replica, uint64_t until_ms);

/* True when the file remembers a clock that the store does not know of, or
 * nothing where the store knows that it does: what is in it was put back from
 * a copy. */
int clock_was_rolled_back (struct replica *replica, bool *rolled_back,
                           struct tally_error *err);

/* While a repair is not done this note says where it is: "COLLECTION SEQ". */
#define REPAIR_NOTE "repair"

uint64_t replica_wall_ms (const struct replica *replica);

#endif /* TALLY_REPLICA_H */
