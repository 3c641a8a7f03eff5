/* SPDX-License-Identifier: MIT */
/* A replica over the SQLite driver that a test is linked with; closed with
 * replica_close. */

#ifndef TALLY_TESTS_SQLITE_REPLICA_H
#define TALLY_TESTS_SQLITE_REPLICA_H

#include "../../core/replica.h"

static inline struct replica *
open_replica (const char *path)
{
  struct tally_value values[] = { { path, 0 }, { NULL, 30000 } };
  struct driver driver = { .name = "sqlite",
                           .store = tally_driver_1 ()->store };
  static const struct tally_host host = { .size = sizeof host };
  struct replica_setup setup = { .driver = &driver,
                                 .host = &host,
                                 .values = values,
                                 .flags = TALLY_OPEN_CREATE,
                                 .name = path,
                                 .path = path,
                                 .max_skew_ms = 300000 };
  struct tally_error err;
  struct replica *replica;

  assert_int_equal (replica_open (&replica, &setup, &err), TALLY_OK);
  return replica;
}

#endif /* TALLY_TESTS_SQLITE_REPLICA_H */
