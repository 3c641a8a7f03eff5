/* SPDX-License-Identifier: MIT */
/* A folder in the hands of one run, shared by the folder's files. */

#ifndef TALLY_FOLDER_INTERNAL_H
#define TALLY_FOLDER_INTERNAL_H

#include "folder.h"
#include "idmap.h"
#include "segment.h"

/* More blobs than this are somebody's joke. */
#define LISTED_MAX ((size_t) 1 << 20)

/* A blob of the listing; collection is one pointer for each name. */
struct entry {
  const char *collection;
  unsigned char writer[REPLICA_ID_SIZE];
  uint64_t number;
  uint32_t part;
};

/* The blobs of one writer in one collection, by number, then part. */
struct log {
  const struct entry *entries;
  size_t count;
  bool stuck; /* left alone until the next run */
};

struct listing {
  struct entry *entries;
  size_t count, capacity;
  struct log *logs; /* by collection, then writer */
  size_t n_logs;
  const char **names; /* of the collections, in order */
  size_t n_names, names_capacity;
  struct idmap known; /* of the names, while the listing is made */
  struct arena arena;
  bool failed, crowded;
};

/* Our own log of a collection. */
struct own {
  bool loaded;
  struct tally_error broken; /* why it could not be loaded */

  /* The note, as it is and as it will be saved. */
  struct buf note;
  bool noted, dirty;
  uint64_t published;  /* our last segment; 0: none yet */
  uint64_t begin;      /* the first that is needed */
  uint64_t parts;      /* of the base that is there; 0: no base */
  uint64_t documents;  /* in all of them */
  uint64_t live;       /* how many of these are not superseded, at least */
  bool restarting;     /* all is being put again */
  uint64_t checked_ms; /* when all of it was last read back */
  /* The checksum of the segment that published + 1 shall become. */
  bool has_intent;
  unsigned char intent[SEGMENT_CHECKSUM_SIZE];

  /* This run. */
  bool unsure;    /* whether the intent came true */
  bool ahead;     /* somebody else writes here */
  bool missing;   /* something needed is not in the folder */
  bool restarted; /* the log begins anew in this run */
  bool litter;    /* something not needed is in the folder */
  bool tried;     /* to make a base */
  bool damaged;   /* the next run must put all again */
  struct doclist pending;
  struct idmap pending_ids;
};

/* A collection in this run. */
struct lane {
  char *collection;
  struct tally_error complaint;
  struct buf reads; /* the cursor that this run began with */
  bool reads_known;
  struct own own;
};

struct folder {
  struct channel *channel;
  struct replica *replica;
  bool look;
  unsigned char id[REPLICA_ID_SIZE];
  unsigned char self[REPLICA_ID_SIZE];
  struct listing listing;

  struct lane **lanes;
  size_t n_lanes;
  struct idmap lane_ids; /* by collection */

  /* The segment that folder_get answers from. */
  struct buf bytes;
  struct segment loaded;
  struct idmap loaded_ids;

  struct buf scratch;
};

/* NULL: out of memory. */
struct lane *folder_lane (struct folder *folder, const char *collection);

/* Only the first is told of.  A segment that is not there, or not whole, is
 * nothing that went wrong here: it may be on its way. */
void folder_complain (struct lane *lane, const struct tally_error *why);

void folder_blob_name (const char *collection, const unsigned char *writer,
                       uint64_t number, uint32_t part,
                       struct segment_name *name,
                       char text[SEGMENT_NAME_SIZE]);

/* Its slices are into *bytes.  TALLY_NOTFOUND, TALLY_CORRUPT: the segment is
 * not there, or not what its name says. */
int folder_fetch (struct folder *folder, const char *collection,
                  const unsigned char *writer, uint64_t number, uint32_t part,
                  struct buf *bytes, struct segment *out,
                  struct tally_error *err);

void folder_unload (struct folder *folder);

int folder_list (struct folder *folder, struct tally_error *err);

void folder_listing_free (struct listing *listing);

/* Where the logs of a collection begin; with a writer, its log or the one
 * behind it. */
size_t folder_seek_log (const struct listing *listing, const char *collection,
                        const unsigned char *writer);

const struct log *folder_find_log (const struct folder *folder,
                                   const char *collection,
                                   const unsigned char *writer);

bool folder_is_listed (const struct log *log, uint64_t number, uint32_t part);

/* The last number that is a segment; 0: there are only parts. */
uint64_t folder_log_head (const struct log *log);

int folder_save_note (struct folder *folder, struct lane *lane,
                      struct tally_error *err);

int folder_load_own (struct folder *folder, struct lane *lane,
                     struct tally_error *err);

int folder_another_copy (const struct folder *folder, struct tally_error *err);

/* The segment is durable in the folder. */
void folder_adopt (struct own *own, const struct segment *segment);

/* Finds out whether the segment that the intent tells of came to be. */
int folder_settle (struct folder *folder, struct lane *lane,
                   struct tally_error *err);

/* Reads back some of our log, as it is listed, and from time to time all; what
 * is damaged is missing. */
int folder_check_own (struct folder *folder, struct lane *lane,
                      const struct log *log, struct tally_error *err);

bool folder_is_needed (const struct own *own, uint64_t number, uint32_t part);

struct segment folder_start_segment (const struct folder *folder,
                                     const struct lane *lane);

/* Makes the blob, for a part; a segment's intent must be saved before. */
int folder_create_blob (struct folder *folder, const struct lane *lane,
                        const struct segment *segment,
                        struct tally_slice bytes, struct tally_error *err);

/* Gives the segment its number, once and for all. */
int folder_publish (struct folder *folder, struct lane *lane,
                    const struct segment *segment, struct tally_error *err);

bool folder_is_full (const struct doclist *list, const struct tally_doc *doc);

int folder_tidy (struct folder *folder, struct lane *lane,
                 struct tally_error *err);

#endif /* TALLY_FOLDER_INTERNAL_H */
