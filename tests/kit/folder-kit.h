/* SPDX-License-Identifier: MIT */
/* What the tests of the segment log share: devices, each with a memory store,
 * around one folder of the real file transport.  Writing calls of transport
 * and store go through shims that can die at any of them. */

#ifndef TALLY_TESTS_FOLDER_KIT_H
#define TALLY_TESTS_FOLDER_KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../core/folder.h"

#define DEVICES 3
#define IDS 40

/* What the shims do. */
extern struct kit_fault {
  long calls;   /* writing calls so far */
  long dies_at; /* this one fails, and all after it; 0: none */
  bool after;   /* what fails has been done */
} kit_fault;

/* What somebody has read: the newest state of each document. */
struct view {
  char cursor[4096];
  unsigned value[IDS];
  unsigned char rev[IDS][TALLY_REV_SIZE];
  unsigned segments, documents; /* of the last reading */
};

struct device {
  struct replica *replica;
  struct channel *channel;
  struct folder *folder;
  bool renamed; /* its name there is not that of the replica */
  unsigned char self[REPLICA_ID_SIZE];
  unsigned char folder_id[REPLICA_ID_SIZE];
  struct view view;
};

struct world {
  char path[64]; /* PLACE_SIZE */
  struct tally_host host;
  struct tally_store store;
  struct tally_transport transport;
  struct driver store_driver, transport_driver;
  struct device devices[DEVICES];
  unsigned clock;
  struct tally_error err;
};

bool kit_is_dead (void);

int kit_setup (void **state);
int kit_teardown (void **state);

#define KIT_TEST(name) \
  cmocka_unit_test_setup_teardown (name, kit_setup, kit_teardown)

/* Its folder is not open yet. */
void kit_make_device (struct world *w, struct device *device);
void kit_free_device (struct device *device);

/* Becomes another there, when the folder is opened next. */
void kit_rename (struct device *device);

/* Closes the folder first; kit_reopen must work. */
int kit_open (struct world *w, struct device *device, bool look);
void kit_reopen (struct world *w, struct device *device);

/* ---- documents ---- */

int kit_put_sized (struct world *w, struct device *device, unsigned id,
                   unsigned value, size_t filler);
int kit_put (struct world *w, struct device *device, unsigned id,
             unsigned value);
int kit_commit (struct world *w, struct device *device);

/* One segment with one document. */
void kit_publish (struct world *w, struct device *device, unsigned id,
                  unsigned value);

/* Reads one segment, if there is one. */
int kit_read_one (struct world *w, struct device *device, bool *more);

/* Reads all, and returns what there is to complain about. */
int kit_read_all (struct world *w, struct device *device);

/* ---- files ---- */

/* Calls fn for each whose name holds the part, and counts them. */
int kit_each_file (const struct world *w, const char *part,
                   void (*fn) (const char *path, void *ctx), void *ctx);
void kit_remove_file (const char *path, void *ctx);

void kit_blob_path (const struct world *w, const struct device *writer,
                    uint64_t number, uint32_t part, char path[512]);

/* Moves a segment out of sight, or back. */
void kit_hide (const struct world *w, const struct device *writer,
               uint64_t number, uint32_t part, bool back);

/* The blobs of one writer. */
int kit_count (const struct world *w, const struct device *writer);

#endif /* TALLY_TESTS_FOLDER_KIT_H */
