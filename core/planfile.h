/* SPDX-License-Identifier: MIT */
/* A plan that was saved: a line of JSON for what it is of, one for each
 * document, and a last one with a checksum.  Read back it is a set of hashes,
 * so that a run can be held against it whatever its size. */

#ifndef TALLY_PLANFILE_H
#define TALLY_PLANFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "idset.h"
#include "plan.h"

#define PLANFILE_ID_SIZE 16

/* Whom a plan joins, and how. */
struct planfile_head {
  char *link;
  int direction;     /* 0: both; TALLY_PUSH, TALLY_PULL */
  char *collections; /* "A,B"; NULL: all */
  unsigned char local[PLANFILE_ID_SIZE], far[PLANFILE_ID_SIZE];
};

void planfile_head_free (struct planfile_head *head);

/* ---- saving ------------------------------------------------------------- */

struct planfile_writer;

/* Begins a new file beside it.  TALLY_INVALID: something is there that is no
 * plan. */
int planfile_begin (struct planfile_writer **out, const char *path,
                    struct tally_error *err);

/* The head first, once. */
int planfile_put_head (struct planfile_writer *writer,
                       const struct planfile_head *head,
                       struct tally_error *err);
int planfile_put (struct planfile_writer *writer, const struct plan_move *move,
                  struct tally_error *err);

/* Makes it durable and gives it its name. */
int planfile_finish (struct planfile_writer *writer, struct tally_error *err);

/* Ends the writer; a file that was not finished goes. */
void planfile_free_writer (struct planfile_writer *writer);

/* ---- holding a run against it ------------------------------------------- */

struct planfile {
  char *path;
  struct planfile_head head;
  struct idset set;
};

/* TALLY_INVALID: it is damaged, or no plan. */
int planfile_read (struct planfile *plan, const char *path,
                   struct tally_error *err);
void planfile_free (struct planfile *plan);

enum planned {
  PLANNED_NOT,  /* the document is not in it */
  PLANNED_ELSE, /* it is, with another revision */
  PLANNED_SO
};

/* Compares what is joined, not what comes of it. */
enum planned planfile_find (const struct planfile *plan,
                            const struct plan_move *move);

/* Compares all of it, and keeps in mind that it was met. */
bool planfile_meet (struct planfile *plan, const struct plan_move *move);

/* Tells of the first document that was not met; returns the status of tell,
 * or TALLY_OK when all were. */
int planfile_unmet (const struct planfile *plan,
                    int (*tell) (void *ctx, const struct plan_move *move,
                                 struct tally_error *err),
                    void *ctx, struct tally_error *err);

#endif /* TALLY_PLANFILE_H */
