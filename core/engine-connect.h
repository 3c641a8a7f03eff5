/* SPDX-License-Identifier: MIT */
/* The beginning of a run: who is there, do we know each other, and which
 * collections there are. */

#ifndef TALLY_ENGINE_CONNECT_H
#define TALLY_ENGINE_CONNECT_H

#include "engine-internal.h"
#include "namelist.h"

/* Says hello until both sides agree on what they know of each other; fills
 * the run's peer, pair and welcome. */
int run_connect (struct run *run, struct tally_error *err);
void run_disconnect (struct run *run);

/* The collections to sync, in name order: those that the link names, or all
 * that either side has. */
int run_collections (struct run *run, struct namelist *list,
                     struct tally_error *err);

/* ---- engine-route.c ----------------------------------------------------- */

/* Notes who answered. */
int route_save (struct run *run, struct tally_error *err);

/* Draws a token for the far side to take, and makes it durable; none where the
 * pair has one.  named: the run's pair is that of who is asked. */
int route_offer (struct run *run, bool named, struct tally_error *err);

/* To one that is new, our token is the one that was offered over this
 * channel: it may have been taken. */
int route_recall (struct run *run, struct tally_error *err);

/* It stands in the pair's note now. */
int route_settle (struct run *run, struct tally_error *err);

/* What in a folder could not be read this time. */
int run_complaint (struct sync *sync, struct tally_error *err);

#endif /* TALLY_ENGINE_CONNECT_H */
