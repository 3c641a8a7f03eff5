/* SPDX-License-Identifier: MIT */
/* What the devices behind client ids are called: a note for each client id,
 * "device/ACCOUNT:CLIENT", where the account is empty but on a server that
 * has accounts, whose names are told to nobody else. */

#ifndef TALLY_DEVICES_H
#define TALLY_DEVICES_H

#include "replica.h"

#define DEVICE_NAME_MAX 255
/* Names kept for one account.  Beyond that the oldest go; a device that still
 * comes says its name anew. */
#define DEVICES_MAX 1024

/* A client id as stamps end with it. */
#define CLIENT_TEXT 6
void device_client_text (char out[CLIENT_TEXT], uint32_t client);

/* Fills *name; empty: unknown.  asked_ms (may be NULL) is when somebody else
 * was asked in vain; 0: never. */
int device_name (struct replica *replica, const char *account, uint32_t client,
                 struct buf *name, uint64_t *asked_ms,
                 struct tally_error *err);

/* Keeps a name that is new or has changed; an empty one is kept as asked for
 * in vain.  A name that is none is passed over.  Nothing is written to a
 * store that is open for reading only. */
int device_learn (struct replica *replica, const char *account,
                  uint32_t client, struct tally_slice name,
                  struct tally_error *err);

/* The name that this store writes under from now on. */
int device_learn_own (struct replica *replica, const char *name,
                      struct tally_error *err);

/* Names looked up so far, each once; good until it is freed. */
struct device_book {
  struct replica *replica;
  const char *own; /* what this store writes under, if no note says so */
  struct device_row {
    uint32_t client;
    char *name; /* NULL: unknown */
  } * rows;
  size_t n;
};

/* *name NULL: unknown. */
int device_book_find (struct device_book *book, uint32_t client,
                      const char **name, struct tally_error *err);
void device_book_free (struct device_book *book);

#endif /* TALLY_DEVICES_H */
