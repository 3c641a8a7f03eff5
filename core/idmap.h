/* SPDX-License-Identifier: MIT */
/* Finds an id's index among the ids of a batch or window: open addressing
 * over slices that stay where they are. */

#ifndef TALLY_IDMAP_H
#define TALLY_IDMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <tally/driver.h>

struct idmap {
  struct idmap_slot {
    struct tally_slice id;
    size_t index;
  } * slots;
  size_t capacity; /* a power of two, or 0 */
  size_t count;
};

#define IDMAP_INIT \
  {                \
    0              \
  }
#define IDMAP_NONE SIZE_MAX

/* Adds the id, unless it is there.  *found is the index it has now.  False:
 * out of memory. */
bool idmap_add (struct idmap *map, struct tally_slice id, size_t index,
                size_t *found);

/* IDMAP_NONE when it is not there. */
size_t idmap_find (const struct idmap *map, struct tally_slice id);

void idmap_clear (struct idmap *map);
void idmap_free (struct idmap *map);

#endif /* TALLY_IDMAP_H */
