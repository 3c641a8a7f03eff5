/* SPDX-License-Identifier: MIT */
/* Reading other writers' logs, writing our own.  What we know of our own log
 * is a note for each collection, saved before a segment gets its name: after
 * a crash it tells a segment of ours from one that a copy of this store
 * wrote, and a segment that never was from one that was lost.  A base takes
 * its number last, when all its parts are durable, so it is whole or not
 * there. */

#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "error.h"
#include "folder.h"
#include "idmap.h"
#include "json.h"
#include "notejson.h"
#include "peer.h"
#include "segment.h"

/* A log this long is worth looking at. */
#define LOG_SEGMENTS_MAX 16
/* Ids of our own log that are held in memory at once. */
#define LOG_IDS_MAX ((size_t) 1 << 18)
/* More blobs than this are somebody's joke. */
#define LISTED_MAX ((size_t) 1 << 20)
/* How many segments are asked who the folder is. */
#define WITNESSES_MAX 16

#define KEY_SIZE 256

/* A blob of the listing; collection is one pointer for each name. */
struct entry
{
  const char *collection;
  unsigned char writer[REPLICA_ID_SIZE];
  uint64_t number;
  uint32_t part;
};

/* The blobs of one writer in one collection, by number, then part. */
struct log
{
  const struct entry *entries;
  size_t count;
  bool stuck; /* left alone until the next run */
};

struct listing
{
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
struct own
{
  bool loaded;
  struct tally_error broken; /* why it could not be loaded */

  /* The note, as it is and as it will be saved. */
  struct buf note;
  bool noted, dirty;
  uint64_t published; /* our last segment; 0: none yet */
  uint64_t begin;     /* the first that is needed */
  uint64_t parts;     /* of the base that is there; 0: no base */
  uint64_t documents; /* in all of them */
  uint64_t live;      /* how many of these are not superseded, at least */
  bool restarting;    /* all is being put again */
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
struct lane
{
  char *collection;
  struct tally_error complaint;
  struct buf reads; /* the cursor that this run began with */
  bool reads_known;
  struct own own;
};

struct folder
{
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

/* ---- lanes -------------------------------------------------------------- */

/* What waits to be published stays. */
static void
own_forget (struct own *own)
{
  struct own fresh = { .pending = own->pending,
                       .pending_ids = own->pending_ids };

  buf_free (&own->note);
  *own = fresh;
}

static void
lane_free (struct lane *lane)
{
  if (!lane)
    return;
  buf_free (&lane->own.note);
  doclist_free (&lane->own.pending);
  idmap_free (&lane->own.pending_ids);
  buf_free (&lane->reads);
  free (lane->collection);
  free (lane);
}

/* NULL: out of memory. */
static struct lane *
find_lane (struct folder *folder, const char *collection)
{
  size_t at = idmap_find (&folder->lane_ids, slice_text (collection));
  struct lane **lanes, *lane;

  if (at != IDMAP_NONE)
    return folder->lanes[at];
  lanes = realloc (folder->lanes, (folder->n_lanes + 1) * sizeof *lanes);
  if (!lanes)
    return NULL;
  folder->lanes = lanes;
  lane = calloc (1, sizeof *lane);
  if (!lane)
    return NULL;
  lane->collection = strdup (collection);
  if (!lane->collection
      || !idmap_add (&folder->lane_ids, slice_text (lane->collection),
                     folder->n_lanes, NULL))
    {
      lane_free (lane);
      return NULL;
    }
  folder->lanes[folder->n_lanes++] = lane;
  return lane;
}

/* Only the first is told of.  A segment that is not there, or not whole, is
 * nothing that went wrong here: it may be on its way. */
static void
complain (struct lane *lane, const struct tally_error *why)
{
  if (lane->complaint.status != TALLY_OK)
    return;
  lane->complaint = *why;
  if (why->status == TALLY_NOTFOUND || why->status == TALLY_CORRUPT)
    lane->complaint.status = TALLY_AGAIN;
}

/* Another id has another log, of which nothing is known yet. */
static void
follow_identity (struct folder *folder)
{
  unsigned char self[REPLICA_ID_SIZE];

  replica_id (folder->replica, self);
  if (memcmp (self, folder->self, sizeof self) == 0)
    return;
  memcpy (folder->self, self, sizeof self);
  for (size_t i = 0; i < folder->n_lanes; i++)
    own_forget (&folder->lanes[i]->own);
}

/* ---- the listing -------------------------------------------------------- */

static const char *
intern (struct listing *listing, const char *name)
{
  size_t at = idmap_find (&listing->known, slice_text (name));
  const char *copy;

  if (at != IDMAP_NONE)
    return listing->names[at];
  if (listing->n_names == listing->names_capacity)
    {
      size_t capacity = listing->n_names ? listing->n_names * 2 : 16;
      const char **names = realloc (listing->names, capacity * sizeof *names);

      if (!names)
        return NULL;
      listing->names = names;
      listing->names_capacity = capacity;
    }
  copy = arena_add (&listing->arena, name, strlen (name) + 1);
  if (!copy
      || !idmap_add (&listing->known, slice_text (copy), listing->n_names,
                     NULL))
    return NULL;
  listing->names[listing->n_names++] = copy;
  return copy;
}

static bool
make_room (struct listing *listing)
{
  size_t capacity = listing->capacity ? listing->capacity * 2 : 64;
  struct entry *entries;

  if (listing->count < listing->capacity)
    return true;
  entries = realloc (listing->entries, capacity * sizeof *entries);
  if (!entries)
    return false;
  listing->entries = entries;
  listing->capacity = capacity;
  return true;
}

static int
collect_blob (void *ctx, const char *blob)
{
  struct listing *listing = ctx;
  struct segment_name name;
  struct entry *entry;

  if (!segment_name_parse (&name, blob))
    return 0;
  listing->crowded = listing->count == LISTED_MAX;
  if (listing->crowded)
    return 1;
  if (!make_room (listing))
    {
      listing->failed = true;
      return 1;
    }
  entry = &listing->entries[listing->count];
  entry->collection = intern (listing, name.collection);
  listing->failed = !entry->collection;
  memcpy (entry->writer, name.writer, sizeof entry->writer);
  entry->number = name.number;
  entry->part = name.part;
  listing->count++;
  return listing->failed;
}

static int
by_log (const struct entry *a, const struct entry *b)
{
  if (a->collection != b->collection)
    return strcmp (a->collection, b->collection);
  return memcmp (a->writer, b->writer, sizeof a->writer);
}

static int
by_place (const void *pa, const void *pb)
{
  const struct entry *a = pa, *b = pb;
  int order = by_log (a, b);

  if (order == 0)
    order = (a->number > b->number) - (a->number < b->number);
  return order ? order : (a->part > b->part) - (a->part < b->part);
}

static int
by_name (const void *a, const void *b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static bool
make_logs (struct listing *listing)
{
  listing->logs = calloc (listing->count + 1, sizeof *listing->logs);
  if (!listing->logs)
    return false;
  for (size_t i = 0; i < listing->count; i++)
    {
      if (i == 0 || by_log (&listing->entries[i - 1], &listing->entries[i]))
        listing->logs[listing->n_logs++].entries = &listing->entries[i];
      listing->logs[listing->n_logs - 1].count++;
    }
  return true;
}

static int
list_folder (struct folder *folder, struct tally_error *err)
{
  struct listing *listing = &folder->listing;
  int status
    = channel_list (folder->channel, "", collect_blob, listing, err);

  idmap_free (&listing->known);
  if (status != TALLY_OK)
    return status;
  if (listing->crowded)
    return error_set (err, TALLY_UNSUPPORTED, "%s: holds more than a million "
                      "segments", folder->channel->name);
  if (listing->failed)
    return error_nomem (err);
  if (listing->count > 0)
    {
      qsort (listing->entries, listing->count, sizeof *listing->entries,
             by_place);
      qsort (listing->names, listing->n_names, sizeof *listing->names,
             by_name);
    }
  return make_logs (listing) ? TALLY_OK : error_nomem (err);
}

static void
listing_free (struct listing *listing)
{
  free (listing->entries);
  free (listing->logs);
  free (listing->names);
  idmap_free (&listing->known);
  arena_free (&listing->arena);
}

/* Where the logs of a collection begin; with a writer, its log or the one
 * behind it. */
static size_t
seek_log (const struct listing *listing, const char *collection,
          const unsigned char *writer)
{
  size_t low = 0, high = listing->n_logs;

  while (low < high)
    {
      size_t middle = low + (high - low) / 2;
      const struct entry *entry = listing->logs[middle].entries;
      int order = strcmp (entry->collection, collection);

      if (order == 0 && writer)
        order = memcmp (entry->writer, writer, REPLICA_ID_SIZE);
      if (order < 0)
        low = middle + 1;
      else
        high = middle;
    }
  return low;
}

static const struct log *
find_log (const struct folder *folder, const char *collection,
          const unsigned char *writer)
{
  size_t at = seek_log (&folder->listing, collection, writer);
  const struct log *log = &folder->listing.logs[at];

  if (at < folder->listing.n_logs
      && strcmp (log->entries->collection, collection) == 0
      && memcmp (log->entries->writer, writer, REPLICA_ID_SIZE) == 0)
    return log;
  return NULL;
}

static bool
is_listed (const struct log *log, uint64_t number, uint32_t part)
{
  struct entry key = log->entries[0];

  key.number = number;
  key.part = part;
  return bsearch (&key, log->entries, log->count, sizeof key, by_place);
}

/* The last number that is a segment; 0: there are only parts. */
static uint64_t
log_head (const struct log *log)
{
  for (size_t i = log->count; i > 0; i--)
    if (log->entries[i - 1].part == 0)
      return log->entries[i - 1].number;
  return 0;
}

/* ---- blobs -------------------------------------------------------------- */

static void
make_name (const char *collection, const unsigned char *writer,
           uint64_t number, uint32_t part, struct segment_name *name,
           char text[SEGMENT_NAME_SIZE])
{
  memset (name, 0, sizeof *name);
  memcpy (name->writer, writer, REPLICA_ID_SIZE);
  snprintf (name->collection, sizeof name->collection, "%s", collection);
  name->number = number;
  name->part = part;
  segment_name_make (text, name);
}

static bool
is_named (const struct segment *segment, const struct segment_name *name)
{
  return memcmp (segment->writer, name->writer, REPLICA_ID_SIZE) == 0
         && slice_equal (segment->collection, slice_text (name->collection))
         && segment->number == name->number && segment->part == name->part;
}

/* Its slices are into *bytes.  TALLY_NOTFOUND, TALLY_CORRUPT: the segment is
 * not there, or not what its name says. */
static int
fetch (struct folder *folder, const char *collection,
       const unsigned char *writer, uint64_t number, uint32_t part,
       struct buf *bytes, struct segment *out, struct tally_error *err)
{
  const char *where = folder->channel->name;
  char text[SEGMENT_NAME_SIZE];
  struct segment_name name;
  int status;

  memset (out, 0, sizeof *out);
  make_name (collection, writer, number, part, &name, text);
  status = channel_read (folder->channel, text, bytes, err);
  if (status == TALLY_NOTFOUND)
    return error_set (err, status, "%s: segment %s is not there yet; it is "
                      "read on the next sync", where, text);
  if (status != TALLY_OK)
    return status;
  status = segment_decode (out, buf_slice (bytes));
  if (status == TALLY_OK && !is_named (out, &name))
    {
      segment_free (out);
      status = TALLY_CORRUPT;
    }
  switch (status)
    {
    case TALLY_OK:
      return TALLY_OK;
    case TALLY_UNSUPPORTED:
      return error_set (err, status, "%s: segment %s was written by a later "
                        "version", where, text);
    case TALLY_CORRUPT:
      return error_set (err, status, "%s: segment %s is incomplete or "
                        "damaged; it is read again on the next sync", where,
                        text);
    default:
      return error_nomem (err);
    }
}

/* ---- opening ------------------------------------------------------------ */

static int
read_marker (struct folder *folder, bool *found, struct tally_error *err)
{
  int status = channel_read (folder->channel, SEGMENT_MARKER,
                             &folder->scratch, err);

  *found = status == TALLY_OK;
  if (status == TALLY_NOTFOUND)
    return TALLY_OK;
  if (status == TALLY_OK
      && !segment_marker_parse (folder->id, buf_slice (&folder->scratch)))
    return error_set (err, TALLY_AGAIN, "%s: " SEGMENT_MARKER " is "
                      "incomplete or damaged", folder->channel->name);
  return status;
}

/* Segments can arrive before the marker, and know it.  A second id for one
 * folder would make every writer begin again. */
static int
choose_id (struct folder *folder, struct tally_error *err)
{
  const struct listing *listing = &folder->listing;

  if (listing->count == 0)
    {
      randombytes_buf (folder->id, sizeof folder->id);
      return TALLY_OK;
    }
  for (size_t i = 0; i < listing->count && i < WITNESSES_MAX; i++)
    {
      const struct entry *entry = &listing->entries[i];
      struct segment segment;
      int status = fetch (folder, entry->collection, entry->writer,
                          entry->number, entry->part, &folder->scratch,
                          &segment, err);

      if (status == TALLY_CANCELLED)
        return status;
      if (status != TALLY_OK)
        continue;
      memcpy (folder->id, segment.folder, sizeof folder->id);
      segment_free (&segment);
      return TALLY_OK;
    }
  return error_set (err, TALLY_AGAIN, "%s: " SEGMENT_MARKER " is not there "
                    "yet", folder->channel->name);
}

static int
make_marker (struct folder *folder, struct tally_error *err)
{
  int status = choose_id (folder, err);
  bool found;

  if (status != TALLY_OK)
    return status;
  buf_clear (&folder->scratch);
  segment_marker_make (&folder->scratch, folder->id);
  if (folder->scratch.failed)
    return error_nomem (err);
  status = channel_create (folder->channel, SEGMENT_MARKER,
                           buf_slice (&folder->scratch), err);
  if (status != TALLY_CONFLICT)
    return status;
  status = read_marker (folder, &found, err);
  if (status == TALLY_OK && !found)
    status = error_set (err, TALLY_AGAIN, "%s: " SEGMENT_MARKER " came and "
                        "went", folder->channel->name);
  return status;
}

static int load_own (struct folder *folder, struct lane *lane,
                     struct tally_error *err);

/* Whether we are who wrote our log is asked before anything moves. */
static int
load_own_logs (struct folder *folder, struct tally_error *err)
{
  const struct listing *listing = &folder->listing;

  for (size_t i = 0; i < listing->n_logs; i++)
    {
      const struct entry *entry = listing->logs[i].entries;
      struct lane *lane;
      int status;

      if (memcmp (entry->writer, folder->self, sizeof folder->self) != 0)
        continue;
      lane = find_lane (folder, entry->collection);
      status = lane ? load_own (folder, lane, err) : error_nomem (err);
      if (status != TALLY_OK)
        return status;
    }
  return TALLY_OK;
}

int
folder_open (struct folder **out, struct channel *channel,
             struct replica *replica, bool look,
             unsigned char id[REPLICA_ID_SIZE], struct tally_error *err)
{
  struct folder *folder = calloc (1, sizeof *folder);
  bool found = false;
  int status;

  *out = NULL;
  if (!folder)
    return error_nomem (err);
  folder->channel = channel;
  folder->replica = replica;
  folder->look = look;
  replica_id (replica, folder->self);
  status = read_marker (folder, &found, err);
  if (status == TALLY_OK && (found || !look))
    {
      status = list_folder (folder, err);
      if (status == TALLY_OK && !found)
        status = make_marker (folder, err);
      if (status == TALLY_OK)
        status = load_own_logs (folder, err);
    }
  if (status != TALLY_OK)
    {
      folder_close (folder);
      return status;
    }
  memcpy (id, folder->id, REPLICA_ID_SIZE);
  *out = folder;
  return TALLY_OK;
}

static void
unload (struct folder *folder)
{
  segment_free (&folder->loaded);
  idmap_clear (&folder->loaded_ids);
}

void
folder_close (struct folder *folder)
{
  if (!folder)
    return;
  unload (folder);
  idmap_free (&folder->loaded_ids);
  for (size_t i = 0; i < folder->n_lanes; i++)
    lane_free (folder->lanes[i]);
  free (folder->lanes);
  idmap_free (&folder->lane_ids);
  listing_free (&folder->listing);
  buf_free (&folder->bytes);
  buf_free (&folder->scratch);
  free (folder);
}

size_t
folder_collections (struct folder *folder, const char *const **names)
{
  *names = folder->listing.names;
  return folder->listing.n_names;
}

int
folder_complaint (struct folder *folder, const char *collection,
                  struct tally_error *err)
{
  size_t at = idmap_find (&folder->lane_ids, slice_text (collection));

  if (at == IDMAP_NONE
      || folder->lanes[at]->complaint.status == TALLY_OK)
    return TALLY_OK;
  *err = folder->lanes[at]->complaint;
  return err->status;
}

/* ---- our own log: the note ---------------------------------------------- */

static void
note_key (const struct folder *folder, const struct lane *lane,
          char key[KEY_SIZE])
{
  char id[REPLICA_ID_TEXT];

  replica_id_text (folder->id, id);
  snprintf (key, KEY_SIZE, "folder/%s/%s", id, lane->collection);
}

static bool
read_field (struct tally_slice note, const char *name, uint64_t *out)
{
  struct tally_slice value;

  return json_find_member (note, slice_text (name), &value)
         && note_number (value, out) && *out <= SEGMENT_NUMBER_MAX;
}

/* A string of hexadecimal digits, as many as fill out. */
static bool
read_hex (struct tally_slice note, const char *name, unsigned char *out,
          size_t size)
{
  struct tally_slice value;
  size_t got;

  return json_find_member (note, slice_text (name), &value)
         && value.size == 2 * size + 2
         && sodium_hex2bin (out, size, value.data + 1, 2 * size, NULL, &got,
                            NULL) == 0
         && got == size;
}

/* *ours false: it is about the log of another id, which this store had. */
static bool
read_note (const struct folder *folder, struct own *own, bool *ours)
{
  struct tally_slice note = buf_slice (&own->note), value;
  unsigned char writer[REPLICA_ID_SIZE];
  uint64_t restarting;

  if (!json_is_canonical (note.data, note.size)
      || !read_field (note, "begin", &own->begin)
      || !read_field (note, "documents", &own->documents)
      || !read_field (note, "live", &own->live)
      || !read_field (note, "parts", &own->parts)
      || !read_field (note, "published", &own->published)
      || !read_field (note, "restarting", &restarting)
      || !read_hex (note, "writer", writer, sizeof writer))
    return false;
  own->restarting = restarting != 0;
  own->has_intent = json_find_member (note, slice_text ("intent"), &value);
  *ours = memcmp (writer, folder->self, sizeof writer) == 0;
  return (!own->has_intent
          || read_hex (note, "intent", own->intent, sizeof own->intent))
         && own->begin > 0 && own->begin <= own->published + 1
         && own->parts <= SEGMENT_PARTS_MAX && own->live <= own->documents;
}

static void
write_note (const struct folder *folder, const struct own *own,
            struct buf *out)
{
  char writer[REPLICA_ID_TEXT], intent[2 * SEGMENT_CHECKSUM_SIZE + 1];

  buf_addf (out, "{\"begin\":%llu,\"documents\":%llu",
            (unsigned long long) own->begin,
            (unsigned long long) own->documents);
  if (own->has_intent)
    {
      sodium_bin2hex (intent, sizeof intent, own->intent,
                      sizeof own->intent);
      buf_addf (out, ",\"intent\":\"%s\"", intent);
    }
  replica_id_text (folder->self, writer);
  buf_addf (out, ",\"live\":%llu,\"parts\":%llu,\"published\":%llu"
            ",\"restarting\":%d,\"writer\":\"%s\"}",
            (unsigned long long) own->live, (unsigned long long) own->parts,
            (unsigned long long) own->published,
            own->restarting || own->damaged, writer);
}

static int
save_note (struct folder *folder, struct lane *lane, struct tally_error *err)
{
  struct own *own = &lane->own;
  struct buf note = BUF_INIT;
  struct tally_slice before, after;
  char key[KEY_SIZE];
  int status;

  note_key (folder, lane, key);
  write_note (folder, own, &note);
  before = own->noted ? buf_slice (&own->note) : slice_make (NULL, 0);
  after = buf_slice (&note);
  status = note.failed ? error_nomem (err)
                       : replica_note_put (folder->replica, key, &before,
                                           &after, err);
  if (status != TALLY_OK)
    {
      buf_free (&note);
      if (status == TALLY_CONFLICT)
        status = error_set (err, TALLY_AGAIN, "%s: another sync with the "
                            "same folder is running", folder->replica->name);
      return status;
    }
  buf_free (&own->note);
  own->note = note;
  own->noted = true;
  own->dirty = false;
  return TALLY_OK;
}

/* ---- our own log: what became of it ------------------------------------- */

static int
another_copy (const struct folder *folder, struct tally_error *err)
{
  return error_set (err, TALLY_AGAIN, "%s: another copy of this store writes "
                    "under its name; run again", folder->channel->name);
}

/* The segment is durable in the folder. */
static void
adopt (struct own *own, const struct segment *segment)
{
  own->published = segment->number;
  if (segment->begin != own->begin)
    {
      own->begin = segment->begin;
      own->documents = own->live = segment->documents;
      own->restarted = !segment_is_base (segment);
      own->parts = segment->parts.size / SEGMENT_CHECKSUM_SIZE;
      own->litter = true;
    }
  own->documents += segment->n_docs;
  if (own->live < segment->n_docs)
    own->live = segment->n_docs;
  own->has_intent = false;
  own->unsure = false;
  own->dirty = true;
}

/* Finds out whether the segment that the intent tells of came to be. */
static int
settle (struct folder *folder, struct lane *lane, struct tally_error *err)
{
  struct own *own = &lane->own;
  unsigned char checksum[SEGMENT_CHECKSUM_SIZE];
  struct segment segment;
  int status = fetch (folder, lane->collection, folder->self,
                      own->published + 1, 0, &folder->scratch, &segment, err);

  switch (status)
    {
    case TALLY_OK:
      segment_checksum (checksum, buf_slice (&folder->scratch));
      if (memcmp (checksum, own->intent, sizeof checksum) == 0)
        adopt (own, &segment);
      else
        own->ahead = true;
      segment_free (&segment);
      return TALLY_OK;
    case TALLY_NOTFOUND:
      own->has_intent = false;
      own->unsure = false;
      return TALLY_OK;
    case TALLY_CORRUPT: /* ours would be whole */
    case TALLY_UNSUPPORTED:
      own->ahead = true;
      return TALLY_OK;
    default:
      return status;
    }
}

static bool
is_needed (const struct own *own, uint64_t number, uint32_t part)
{
  if (part > 0)
    return number == own->begin && part <= own->parts;
  return number >= own->begin;
}

/* Compares the listing with what the note claims. */
static void
measure (const struct folder *folder, struct lane *lane)
{
  struct own *own = &lane->own;
  const struct log *log
    = find_log (folder, lane->collection, folder->self);
  uint64_t there = 0;

  for (size_t i = 0; log && i < log->count; i++)
    {
      const struct entry *entry = &log->entries[i];

      if (!is_needed (own, entry->number, entry->part))
        own->litter = true;
      else if (entry->number <= own->published)
        there++;
      else
        own->ahead = true;
    }
  own->missing
    = there != own->published - own->begin + 1 + own->parts;
}

static int
load_note (struct folder *folder, struct lane *lane, struct tally_error *err)
{
  struct own *own = &lane->own;
  char key[KEY_SIZE];
  bool ours = false;
  int status;

  note_key (folder, lane, key);
  status = replica_note_get (folder->replica, key, &own->note, &own->noted,
                             err);
  if (status != TALLY_OK)
    return status;
  if (own->noted && !read_note (folder, own, &ours))
    return error_set (err, TALLY_CORRUPT, "%s: its note %s is damaged",
                      folder->replica->name, key);
  if (!ours)
    {
      own->published = own->parts = own->documents = own->live = 0;
      own->begin = 1;
      own->has_intent = own->restarting = false;
    }
  return own->has_intent ? settle (folder, lane, err) : TALLY_OK;
}

static int
load_own (struct folder *folder, struct lane *lane, struct tally_error *err)
{
  struct own *own = &lane->own;

  if (!own->loaded)
    {
      struct tally_error why = { 0 };

      own->loaded = true;
      if (load_note (folder, lane, &why) != TALLY_OK)
        own->broken = why;
      else
        measure (folder, lane);
      /* Even when it was ours: that run did not come to its commit. */
      own->restarted = false;
    }
  if (own->broken.status == TALLY_OK)
    return TALLY_OK;
  *err = own->broken;
  return err->status;
}

bool
folder_is_ahead (struct folder *folder)
{
  follow_identity (folder);
  for (size_t i = 0; i < folder->n_lanes; i++)
    if (folder->lanes[i]->own.ahead)
      return true;
  return false;
}

bool
folder_is_behind (struct folder *folder, const char *collection)
{
  struct tally_error ignored = { 0 };
  struct lane *lane;

  follow_identity (folder);
  lane = find_lane (folder, collection);
  return lane && load_own (folder, lane, &ignored) == TALLY_OK
         && (lane->own.missing || lane->own.restarting);
}

/* ---- reading ------------------------------------------------------------ */

/* Loads a blob of another writer.  What does not come up in the listing is
 * not asked for. */
static int
load (struct folder *folder, const struct log *log, uint64_t number,
      uint32_t part, struct tally_error *err)
{
  const struct entry *entry = log->entries;
  char text[SEGMENT_NAME_SIZE];
  struct segment_name name;

  unload (folder);
  if (is_listed (log, number, part))
    return fetch (folder, entry->collection, entry->writer, number, part,
                  &folder->bytes, &folder->loaded, err);
  make_name (entry->collection, entry->writer, number, part, &name, text);
  return error_set (err, TALLY_NOTFOUND, "%s: segment %s is not there yet; "
                    "it is read on the next sync", folder->channel->name,
                    text);
}

/* Loads a part of the base; its first only when all of them are there. */
static int
load_part (struct folder *folder, const struct log *log,
           struct segment_position *at, struct tally_error *err)
{
  unsigned char checksum[SEGMENT_CHECKSUM_SIZE];
  const struct entry *entry = log->entries;
  uint32_t part = at->part + 1, n;
  struct segment base;
  bool same = false;
  int status = fetch (folder, entry->collection, entry->writer, at->number,
                      0, &folder->scratch, &base, err);

  if (status != TALLY_OK)
    return status;
  n = (uint32_t) (base.parts.size / SEGMENT_CHECKSUM_SIZE);
  for (uint32_t i = n; i > part && at->part == 0; i--)
    if (!is_listed (log, at->number, i))
      part = i;
  if (part <= n)
    {
      status = load (folder, log, at->number, part, err);
      segment_checksum (checksum, buf_slice (&folder->bytes));
      same = status == TALLY_OK
             && memcmp (base.parts.data + (part - 1) * sizeof checksum,
                        checksum, sizeof checksum) == 0;
    }
  segment_free (&base);
  if (status != TALLY_OK)
    return status;
  if (!same)
    {
      unload (folder);
      return error_set (err, TALLY_CORRUPT, "%s: a base of %s is damaged; it "
                        "is read again on the next sync",
                        folder->channel->name, entry->collection);
    }
  at->part = part < n ? part : 0;
  return TALLY_OK;
}

/* The newest base after `number`, as far as names tell: parts of it are
 * there.  0: none. */
static uint64_t
newest_base (const struct log *log, uint64_t number)
{
  for (size_t i = log->count; i > 0 && log->entries[i - 1].number > number;
       i--)
    if (log->entries[i - 1].part > 0
        && is_listed (log, log->entries[i - 1].number, 0))
      return log->entries[i - 1].number;
  return 0;
}

/* Begins with the segment that begins the log. */
static int
load_beginning (struct folder *folder, const struct log *log,
                uint64_t number, struct segment_position *at,
                struct tally_error *err)
{
  struct segment_position next = *at;
  int status = load (folder, log, number, 0, err);

  next.number = number;
  next.part = 0;
  if (status == TALLY_OK && segment_is_base (&folder->loaded))
    {
      unload (folder);
      status = load_part (folder, log, &next, err);
    }
  if (status == TALLY_OK)
    *at = next;
  return status;
}

/* The next segment cannot be read.  Every segment tells where the log begins
 * by now: when that is behind the gap, the gap does not matter. */
static int
bridge (struct folder *folder, const struct log *log,
        struct segment_position *at, const struct tally_error *gap,
        struct tally_error *err)
{
  uint64_t head = log_head (log), begin = 0;
  int status = TALLY_OK;

  if (gap->status == TALLY_CANCELLED)
    {
      *err = *gap;
      return err->status;
    }
  if (head > at->number)
    {
      status = load (folder, log, head, 0, err);
      begin = folder->loaded.begin;
    }
  if (status == TALLY_CANCELLED)
    return status;
  if (status == TALLY_OK && begin > at->number + (at->part == 0))
    return load_beginning (folder, log, begin, at, err);
  unload (folder);
  *err = *gap;
  return err->status;
}

/* Loads the next of the log, if there is one, and moves on behind it. */
static int
load_next (struct folder *folder, const struct log *log,
           struct segment_position *at, struct tally_error *err)
{
  struct tally_error gap = { 0 };
  uint64_t base = newest_base (log, at->number + 1);

  if (base > 0 && load_beginning (folder, log, base, at, &gap) == TALLY_OK)
    return TALLY_OK;
  if (at->part > 0)
    {
      if (load_part (folder, log, at, &gap) == TALLY_OK)
        return TALLY_OK;
      return bridge (folder, log, at, &gap, err);
    }
  while (log_head (log) > at->number)
    {
      if (load (folder, log, at->number + 1, 0, &gap) != TALLY_OK)
        return bridge (folder, log, at, &gap, err);
      at->number++;
      if (!segment_is_base (&folder->loaded))
        return TALLY_OK;
      /* All that it holds was read on the way here. */
    }
  unload (folder);
  return TALLY_OK;
}

static bool
has_more (const struct folder *folder, const struct log *log,
          const struct segment_cursor *cursor)
{
  const struct entry *entry = log->entries;
  const struct segment_position *at
    = segment_cursor_find (cursor, entry->writer);

  return !log->stuck
         && memcmp (entry->writer, folder->self, REPLICA_ID_SIZE) != 0
         && (!at || at->part > 0 || log_head (log) > at->number);
}

static int
read_log (struct folder *folder, struct lane *lane, struct log *log,
          struct segment_cursor *cursor, struct tally_error *err)
{
  const struct segment_position *known
    = segment_cursor_find (cursor, log->entries->writer);
  struct segment_position at = { .number = 0 };
  struct tally_error why = { 0 };
  int status = TALLY_OK;

  if (known)
    at = *known;
  memcpy (at.writer, log->entries->writer, sizeof at.writer);
  if (!known && cursor->count == SEGMENT_WRITERS_MAX)
    status = error_set (&why, TALLY_UNSUPPORTED, "%s: %s has more writers "
                        "than can be followed", folder->channel->name,
                        lane->collection);
  if (status == TALLY_OK)
    status = load_next (folder, log, &at, &why);
  if (status == TALLY_CANCELLED)
    {
      *err = why;
      return status;
    }
  if (status != TALLY_OK)
    {
      complain (lane, &why);
      log->stuck = true;
    }
  if (at.number > 0 && !segment_cursor_set (cursor, &at))
    return error_nomem (err);
  return TALLY_OK;
}

/* Checks what was loaded; the last of each id counts. */
static int
take_headers (struct folder *folder, struct lane *lane,
              struct doclist *headers, struct tally_error *err)
{
  struct segment *segment = &folder->loaded;

  for (size_t i = segment->n_docs; i > 0; i--)
    {
      struct tally_doc *doc = &segment->docs[i - 1];
      struct tally_error why = { 0 };
      int status = document_check_id (doc->id, &why);

      if (status == TALLY_OK)
        status = peer_check_doc (doc, &why);
      if (status != TALLY_OK)
        {
          error_set (&why, status, "%s: %s", folder->channel->name, why.text);
          complain (lane, &why);
        }
      else if (!idmap_add (&folder->loaded_ids, doc->id, i - 1, NULL))
        return error_nomem (err);
    }
  for (size_t i = 0; i < segment->n_docs; i++)
    if (idmap_find (&folder->loaded_ids, segment->docs[i].id) == i)
      {
        struct tally_doc header = segment->docs[i];

        header.meta = header.body = slice_make (NULL, 0);
        doclist_add (headers, &header);
      }
  return headers->failed ? error_nomem (err) : TALLY_OK;
}

static int
read_logs (struct folder *folder, struct lane *lane,
           struct segment_cursor *cursor, struct doclist *headers, bool *more,
           struct tally_error *err)
{
  struct listing *listing = &folder->listing;
  size_t first = seek_log (listing, lane->collection, NULL);
  int status = TALLY_OK;

  for (size_t i = first; i < listing->n_logs && status == TALLY_OK; i++)
    {
      struct log *log = &listing->logs[i];

      if (strcmp (log->entries->collection, lane->collection) != 0)
        break;
      if (!has_more (folder, log, cursor))
        continue;
      if (folder->loaded.n_docs > 0)
        *more = true;
      else
        status = read_log (folder, lane, log, cursor, err);
      if (folder->loaded.n_docs > 0 && has_more (folder, log, cursor))
        *more = true;
    }
  if (status == TALLY_OK)
    status = take_headers (folder, lane, headers, err);
  return status;
}

/* What this run began with is saved: it goes into our segments, to tell the
 * others what they need not keep for us. */
static bool
keep_reads (struct lane *lane, const char *since)
{
  size_t size = strlen (since);

  if (!lane->reads_known && size <= SEGMENT_READS_MAX)
    buf_add (&lane->reads, since, size);
  lane->reads_known = true;
  return !lane->reads.failed;
}

int
folder_meta (struct folder *folder, const char *collection,
             const char *since, struct doclist *headers, struct buf *next,
             bool *more, struct tally_error *err)
{
  struct segment_cursor cursor = { 0 };
  struct lane *lane = find_lane (folder, collection);
  int status;

  *more = false;
  doclist_clear (headers);
  buf_clear (next);
  unload (folder);
  follow_identity (folder);
  status = segment_cursor_parse (&cursor, slice_text (since));
  if (status == TALLY_CORRUPT)
    return error_set (err, status, "%s: the checkpoint for %s is damaged",
                      folder->replica->name, folder->channel->name);
  if (status != TALLY_OK || !lane || !keep_reads (lane, since))
    status = error_nomem (err);
  else
    status = read_logs (folder, lane, &cursor, headers, more, err);
  segment_cursor_write (next, &cursor);
  buf_add_byte (next, '\0');
  if (status == TALLY_OK && next->failed)
    status = error_nomem (err);
  segment_cursor_free (&cursor);
  return status;
}

int
folder_get (struct folder *folder, const struct tally_slice *ids, size_t n,
            struct doclist *docs, struct tally_error *err)
{
  for (size_t i = 0; i < n; i++)
    {
      size_t at = idmap_find (&folder->loaded_ids, ids[i]);

      if (at != IDMAP_NONE)
        doclist_add (docs, &folder->loaded.docs[at]);
    }
  return docs->failed ? error_nomem (err) : TALLY_OK;
}

/* ---- writing ------------------------------------------------------------ */

static int
ensure_ours (struct folder *folder, struct lane *lane,
             struct tally_error *err)
{
  int status;

  follow_identity (folder);
  status = load_own (folder, lane, err);
  if (status == TALLY_OK && lane->own.unsure)
    status = settle (folder, lane, err);
  if (status == TALLY_OK && lane->own.ahead)
    status = another_copy (folder, err);
  return status;
}

static struct segment
start_segment (const struct folder *folder, const struct lane *lane)
{
  struct segment segment = { .begin = lane->own.begin };

  memcpy (segment.folder, folder->id, sizeof segment.folder);
  memcpy (segment.writer, folder->self, sizeof segment.writer);
  segment.collection = slice_text (lane->collection);
  segment.number = lane->own.published + 1;
  return segment;
}

/* Makes the blob, for a part; a segment's intent must be saved before. */
static int
create_blob (struct folder *folder, const struct lane *lane,
             const struct segment *segment, struct tally_slice bytes,
             struct tally_error *err)
{
  char text[SEGMENT_NAME_SIZE];
  struct segment_name name;

  if (bytes.size > SEGMENT_SIZE_MAX)
    return error_set (err, TALLY_INVALID, "%s: a document of %s is too large "
                      "for a folder", folder->channel->name,
                      lane->collection);
  make_name (lane->collection, segment->writer, segment->number,
             segment->part, &name, text);
  return channel_create (folder->channel, text, bytes, err);
}

/* Gives the segment its number, once and for all. */
static int
publish (struct folder *folder, struct lane *lane,
         const struct segment *segment, struct tally_error *err)
{
  struct own *own = &lane->own;
  struct buf bytes = BUF_INIT;
  int status;

  segment_encode (&bytes, segment);
  if (bytes.failed)
    {
      status = error_nomem (err);
      goto out;
    }
  segment_checksum (own->intent, buf_slice (&bytes));
  own->has_intent = true;
  own->unsure = true;
  status = save_note (folder, lane, err);
  if (status == TALLY_OK)
    status = create_blob (folder, lane, segment, buf_slice (&bytes), err);
  if (status == TALLY_OK)
    adopt (own, segment);
  else if (status == TALLY_CONFLICT)
    {
      status = settle (folder, lane, err);
      if (status == TALLY_OK && own->published != segment->number)
        status = another_copy (folder, err);
    }
out:
  buf_free (&bytes);
  return status;
}

static int
publish_pending (struct folder *folder, struct lane *lane,
                 struct tally_error *err)
{
  struct own *own = &lane->own;
  struct segment segment;
  int status;

  if (own->pending.count == 0)
    return TALLY_OK;
  status = ensure_ours (folder, lane, err);
  if (status != TALLY_OK)
    return status;
  segment = start_segment (folder, lane);
  if ((own->missing || own->restarting) && !own->restarted)
    {
      own->restarting = true;
      segment.begin = segment.number;
    }
  segment.reads = buf_slice (&lane->reads);
  segment.docs = own->pending.docs;
  segment.n_docs = own->pending.count;
  status = publish (folder, lane, &segment, err);
  if (status != TALLY_OK)
    return status;
  idmap_clear (&own->pending_ids);
  doclist_clear (&own->pending);
  return TALLY_OK;
}

static bool
is_full (const struct doclist *list, const struct tally_doc *doc)
{
  size_t size = doc->id.size + doc->meta.size + doc->body.size;

  return list->count == SEGMENT_DOCS_MAX
         || (list->count > 0 && list->bytes + size > SEGMENT_BYTES_MAX);
}

static int
add_pending (struct folder *folder, struct lane *lane,
             const struct tally_doc *doc, struct tally_error *err)
{
  struct own *own = &lane->own;
  struct doclist *pending = &own->pending;
  struct tally_doc *added;
  size_t at;
  int status;

  if (is_full (pending, doc))
    {
      status = publish_pending (folder, lane, err);
      if (status != TALLY_OK)
        return status;
    }
  added = doclist_add (pending, doc);
  if (!added
      || !idmap_add (&own->pending_ids, added->id, pending->count - 1, &at))
    return error_nomem (err);
  if (at != pending->count - 1)
    pending->docs[at] = pending->docs[--pending->count];
  return TALLY_OK;
}

int
folder_put (struct folder *folder, const char *collection,
            const struct tally_doc *docs, size_t n, struct tally_error *err)
{
  struct lane *lane = find_lane (folder, collection);
  int status;

  if (!lane)
    return error_nomem (err);
  if (folder->look)
    return error_set (err, TALLY_INVALID, "%s: is only looked at",
                      folder->channel->name);
  status = ensure_ours (folder, lane, err);
  for (size_t i = 0; i < n && status == TALLY_OK; i++)
    status = add_pending (folder, lane, &docs[i], err);
  return status;
}

/* ---- clearing up -------------------------------------------------------- */

struct sweep
{
  const struct lane *lane;
  const unsigned char *self;
  struct entry *entries;
  size_t count, capacity;
  bool failed;
};

static int
collect_litter (void *ctx, const char *blob)
{
  struct sweep *sweep = ctx;
  struct segment_name name;

  if (!segment_name_parse (&name, blob)
      || strcmp (name.collection, sweep->lane->collection) != 0
      || memcmp (name.writer, sweep->self, sizeof name.writer) != 0
      || is_needed (&sweep->lane->own, name.number, name.part))
    return 0;
  if (sweep->count == sweep->capacity)
    {
      size_t capacity = sweep->capacity ? sweep->capacity * 2 : 32;
      struct entry *entries
        = realloc (sweep->entries, capacity * sizeof *entries);

      sweep->failed = !entries;
      if (!entries)
        return 1;
      sweep->entries = entries;
      sweep->capacity = capacity;
    }
  sweep->entries[sweep->count].number = name.number;
  sweep->entries[sweep->count++].part = name.part;
  return sweep->count == LISTED_MAX;
}

/* Removes what nobody needs: what a base or a new beginning has replaced, and
 * parts of a base that never came to be. */
static int
sweep_log (struct folder *folder, struct lane *lane, struct tally_error *err)
{
  struct sweep sweep = { .lane = lane, .self = folder->self };
  char text[SEGMENT_NAME_SIZE];
  struct segment_name name;
  int status;

  /* Up to the collection and its dot; the number is not part of it. */
  make_name (lane->collection, folder->self, 1, 0, &name, text);
  text[REPLICA_ID_TEXT + strlen (lane->collection) + 1] = '\0';
  status = channel_list (folder->channel, text, collect_litter, &sweep, err);
  if (status == TALLY_OK && sweep.failed)
    status = error_nomem (err);
  for (size_t i = 0; i < sweep.count && status == TALLY_OK; i++)
    {
      make_name (lane->collection, folder->self, sweep.entries[i].number,
                 sweep.entries[i].part, &name, text);
      status = channel_remove (folder->channel, text, err);
    }
  free (sweep.entries);
  if (status == TALLY_OK)
    lane->own.litter = false;
  return status;
}

/* ---- compaction --------------------------------------------------------- */

/* Makes a base of our log.  Ids are told apart by keyed hashes, and when
 * there are too many for the memory, in as many passes as it takes. */
struct maker
{
  struct folder *folder;
  struct lane *lane;
  unsigned char key[crypto_generichash_KEYBYTES];
  uint64_t pass, passes;
  struct idmap seen;
  struct arena hashes;
  uint64_t total, live; /* of what this pass looks at */

  bool writes;
  struct doclist docs;
  struct buf checksums;
  uint32_t parts;
  uint64_t documents;
};

static int
write_part (struct maker *maker, struct tally_error *err)
{
  struct segment segment = start_segment (maker->folder, maker->lane);
  struct buf bytes = BUF_INIT;
  unsigned char checksum[SEGMENT_CHECKSUM_SIZE];
  int status;

  if (maker->docs.count == 0)
    return TALLY_OK;
  if (maker->parts == SEGMENT_PARTS_MAX)
    return error_set (err, TALLY_UNSUPPORTED, "%s: %s is too large for a "
                      "base", maker->folder->channel->name,
                      maker->lane->collection);
  segment.begin = segment.number;
  segment.part = ++maker->parts;
  segment.docs = maker->docs.docs;
  segment.n_docs = maker->docs.count;
  segment_encode (&bytes, &segment);
  segment_checksum (checksum, buf_slice (&bytes));
  buf_add (&maker->checksums, checksum, sizeof checksum);
  status = bytes.failed || maker->checksums.failed
             ? error_nomem (err)
             : create_blob (maker->folder, maker->lane, &segment,
                            buf_slice (&bytes), err);
  buf_free (&bytes);
  if (status == TALLY_CONFLICT)
    status = another_copy (maker->folder, err);
  maker->documents += maker->docs.count;
  doclist_clear (&maker->docs);
  return status;
}

/* Called with later documents first. */
static int
visit (struct maker *maker, const struct tally_doc *doc,
       struct tally_error *err)
{
  unsigned char hash[crypto_generichash_BYTES_MIN];
  struct tally_slice id;
  uint64_t start;
  int status = TALLY_OK;

  crypto_generichash (hash, sizeof hash, (const unsigned char *) doc->id.data,
                      doc->id.size, maker->key, sizeof maker->key);
  memcpy (&start, hash, sizeof start);
  if (start % maker->passes != maker->pass)
    return TALLY_OK;
  maker->total++;
  id = slice_make (hash, sizeof hash);
  if (idmap_find (&maker->seen, id) != IDMAP_NONE)
    return TALLY_OK;
  maker->live++;
  id.data = arena_add (&maker->hashes, hash, sizeof hash);
  if (!id.data || !idmap_add (&maker->seen, id, 0, NULL))
    return error_nomem (err);
  if (!maker->writes)
    return TALLY_OK;
  if (is_full (&maker->docs, doc))
    status = write_part (maker, err);
  if (status == TALLY_OK && !doclist_add (&maker->docs, doc))
    status = error_nomem (err);
  return status;
}

/* Damage to our own log heals by putting everything again. */
static int
visit_segment (struct maker *maker, uint64_t number, uint32_t part,
               struct tally_error *err)
{
  struct folder *folder = maker->folder;
  struct lane *lane = maker->lane;
  struct segment segment;
  int status = fetch (folder, lane->collection, folder->self, number, part,
                      &folder->scratch, &segment, err);

  if (status == TALLY_NOTFOUND || status == TALLY_CORRUPT)
    {
      lane->own.damaged = true;
      status = save_note (folder, lane, err);
      if (status == TALLY_OK)
        status = error_set (err, TALLY_AGAIN, "%s: segment %llu of %s that "
                            "this store wrote is missing or damaged; all is "
                            "written again on the next sync",
                            folder->channel->name,
                            (unsigned long long) number, lane->collection);
      return status;
    }
  for (size_t i = segment.n_docs; i > 0 && status == TALLY_OK; i--)
    status = visit (maker, &segment.docs[i - 1], err);
  segment_free (&segment);
  return status;
}

static int
visit_log (struct maker *maker, uint64_t pass, struct tally_error *err)
{
  const struct own *own = &maker->lane->own;
  int status = TALLY_OK;

  idmap_free (&maker->seen);
  arena_free (&maker->hashes);
  maker->pass = pass;
  maker->total = maker->live = 0;
  for (uint64_t n = own->published;
       n >= own->begin + (own->parts > 0) && status == TALLY_OK; n--)
    status = visit_segment (maker, n, 0, err);
  for (uint32_t part = (uint32_t) own->parts;
       part > 0 && status == TALLY_OK; part--)
    status = visit_segment (maker, own->begin, part, err);
  return status;
}

static int
write_base (struct maker *maker, struct tally_error *err)
{
  struct segment segment = start_segment (maker->folder, maker->lane);
  int status = TALLY_OK;

  maker->writes = true;
  for (uint64_t pass = 0; pass < maker->passes && status == TALLY_OK; pass++)
    status = visit_log (maker, pass, err);
  if (status == TALLY_OK)
    status = write_part (maker, err);
  if (status != TALLY_OK)
    return status;
  segment.begin = segment.number;
  segment.parts = buf_slice (&maker->checksums);
  segment.documents = maker->documents;
  status = publish (maker->folder, maker->lane, &segment, err);
  if (status == TALLY_OK)
    status = save_note (maker->folder, maker->lane, err);
  return status;
}

/* The first pass is a fair sample of them all. */
static int
count_live (struct maker *maker, bool *worth, struct tally_error *err)
{
  struct own *own = &maker->lane->own;
  int status = visit_log (maker, 0, err);

  *worth = status == TALLY_OK
           && (maker->total - maker->live) * 2 > maker->total;
  if (status != TALLY_OK || *worth)
    return status;
  own->live = maker->live * maker->passes;
  if (own->live > own->documents)
    own->live = own->documents;
  return save_note (maker->folder, maker->lane, err);
}

/* Documents since the last count supersede one other each at most, so that
 * the log is not read in vain again and again. */
static bool
may_be_worth_it (const struct own *own)
{
  return own->published - own->begin + 1 + own->parts > LOG_SEGMENTS_MAX
         && (own->documents - own->live) * 2 > own->documents && !own->tried;
}

static int
compact (struct folder *folder, struct lane *lane, struct tally_error *err)
{
  struct own *own = &lane->own;
  struct maker maker = { .folder = folder, .lane = lane };
  bool worth;
  int status;

  own->tried = true;
  maker.passes = own->documents / LOG_IDS_MAX + 1;
  randombytes_buf (maker.key, sizeof maker.key);
  status = count_live (&maker, &worth, err);
  if (status == TALLY_OK && worth)
    {
      /* Of whatever came of it, something must go. */
      own->litter = true;
      status = write_base (&maker, err);
      own->tried = status != TALLY_OK;
    }
  idmap_free (&maker.seen);
  arena_free (&maker.hashes);
  doclist_free (&maker.docs);
  buf_free (&maker.checksums);
  return status;
}

static int
tidy (struct folder *folder, struct lane *lane, struct tally_error *err)
{
  struct own *own = &lane->own;
  int status = TALLY_OK;

  if (own->missing || own->restarting)
    return TALLY_OK;
  if (own->litter)
    status = sweep_log (folder, lane, err);
  if (status == TALLY_OK && may_be_worth_it (own))
    {
      status = compact (folder, lane, err);
      if (status == TALLY_OK && own->litter)
        status = sweep_log (folder, lane, err);
    }
  return status;
}

int
folder_commit (struct folder *folder, const char *collection,
               struct tally_error *err)
{
  struct lane *lane = find_lane (folder, collection);
  struct tally_error why = { 0 };
  struct own *own;
  int status;

  if (!lane)
    return error_nomem (err);
  if (folder->look)
    return TALLY_OK;
  own = &lane->own;
  status = ensure_ours (folder, lane, err);
  if (status == TALLY_OK)
    status = publish_pending (folder, lane, err);
  if (status == TALLY_OK && own->restarted)
    {
      own->restarting = own->missing = own->restarted = false;
      own->dirty = true;
    }
  if (status == TALLY_OK && own->dirty)
    status = save_note (folder, lane, err);
  if (status == TALLY_OK && tidy (folder, lane, &why) != TALLY_OK)
    complain (lane, &why);
  return status;
}
