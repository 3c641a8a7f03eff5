/* SPDX-License-Identifier: MIT */
/* Two endpoints become a store here and a channel to the far side: opened, and
 * made where one is missing, or only looked at. */

#include <config.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "link.h"
#include "local.h"
#include "public.h"
#include "vacant.h"

static int
open_store (struct joint *joint, struct tally_replica **out,
            struct replica **replica, const struct endpoint *endpoint,
            bool create, struct tally_error *err)
{
  int status = context_open_replica (out, joint->tally, endpoint,
                                     create ? TALLY_OPEN_CREATE : 0, err);

  return status == TALLY_OK ? context_replica (replica, *out, err) : status;
}

static int
open_ours (struct joint *joint, const struct endpoint *a, bool create,
           struct tally_error *err)
{
  return open_store (joint, &joint->ours, &joint->replica, a, create, err);
}

static int
answer_with (struct joint *joint, struct replica *replica, const char *key,
             struct tally_error *err)
{
  joint->answer.replica = replica;
  joint->answer.device = joint->tally->config->device;
  return local_channel_open (&joint->channel, &joint->answer, key, err);
}

static int
open_theirs (struct joint *joint, const struct endpoint *b, bool create,
             struct tally_error *err)
{
  struct replica *replica;
  int status = open_store (joint, &joint->theirs, &replica, b, create, err);

  return status == TALLY_OK ? answer_with (joint, replica, b->key, err)
                            : status;
}

/* One that is missing is empty, where it may be; *missing is for who wants to
 * know. */
static int
look_at_store (struct joint *joint, struct tally_replica **out,
               struct replica **replica, struct replica **vacant,
               const struct endpoint *endpoint, bool *missing,
               struct tally_error *err)
{
  int status = context_open_replica (out, joint->tally, endpoint,
                                     TALLY_OPEN_READONLY, err);

  *missing = status == TALLY_NOTFOUND && joint->how == JOINT_LOOK;
  *replica = status == TALLY_OK ? context_replica_if_made (*out) : NULL;
  if (*replica || (status != TALLY_OK && !*missing))
    return status;
  status = vacant_store (vacant, endpoint->title,
                         (uint64_t) joint->tally->config->max_skew_ms,
                         &joint->tally->host, err);
  *replica = *vacant;
  return status;
}

static int
look_at_stores (struct joint *joint, const struct endpoint *a,
                const struct endpoint *b, struct tally_error *err)
{
  struct replica *theirs;
  bool ours_missing, missing;
  int status = look_at_store (joint, &joint->ours, &joint->replica,
                              &joint->vacant_ours, a, &ours_missing, err);

  if (status == TALLY_OK)
    status = look_at_store (joint, &joint->theirs, &theirs,
                            &joint->vacant_theirs, b, &missing, err);
  if (status == TALLY_OK && ours_missing && missing)
    status = error_set (err, TALLY_NOTFOUND,
                        "%s: no such store, and neither "
                        "is %s",
                        a->title, b->title);
  return status == TALLY_OK ? answer_with (joint, theirs, b->key, err)
                            : status;
}

/* Also when one is found by a link to the other. */
static bool
is_same_store (const struct endpoint *a, const struct endpoint *b)
{
  const char *a_path = endpoint_path (a), *b_path = endpoint_path (b);
  struct stat a_stat, b_stat;

  if (strcmp (a->key, b->key) == 0 && strchr (a->key, ':')[1])
    return true;
  return a_path && b_path && stat (a_path, &a_stat) == 0
         && stat (b_path, &b_stat) == 0 && a_stat.st_dev == b_stat.st_dev
         && a_stat.st_ino == b_stat.st_ino;
}

/* Two stores: whichever is there first decides that the other may be made. */
static int
join_stores (struct joint *joint, const struct endpoint *a,
             const struct endpoint *b, struct tally_error *err)
{
  int status;

  if (is_same_store (a, b))
    return error_set (err, TALLY_USAGE, "%s: is the same store as %s", b->name,
                      a->name);
  if (joint->how != JOINT_MAKE)
    return look_at_stores (joint, a, b, err);
  status = open_ours (joint, a, false, err);
  if (status == TALLY_OK)
    return open_theirs (joint, b, true, err);
  if (status != TALLY_NOTFOUND)
    return status;
  status = open_theirs (joint, b, false, err);
  if (status == TALLY_OK)
    status = open_ours (joint, a, true, err);
  return status;
}

static int
look_at_transport (struct joint *joint, const struct endpoint *a,
                   const struct endpoint *b, struct tally_error *err)
{
  bool folder = b->driver->transport && b->driver->transport->list;
  bool missing;
  int status = context_open_channel (&joint->channel, joint->tally, b,
                                     TALLY_OPEN_READONLY, err);

  if (status == TALLY_NOTFOUND && folder) {
    status = vacant_folder (&joint->vacant_channel, b->title, err);
    joint->channel = joint->vacant_channel;
  }
  if (status == TALLY_OK)
    status = look_at_store (joint, &joint->ours, &joint->replica,
                            &joint->vacant_ours, a, &missing, err);
  return status;
}

static int
join_transport (struct joint *joint, const struct endpoint *a,
                const struct endpoint *b, struct tally_error *err)
{
  bool look = joint->how != JOINT_MAKE;
  int status;

  if (look)
    return b->dialect ? no_mirror_look (b, err)
                      : look_at_transport (joint, a, b, err);
  status = context_open_channel (&joint->channel, joint->tally, b,
                                 TALLY_OPEN_CREATE, err);
  if (status == TALLY_OK)
    status = open_ours (joint, a, true, err);
  if (status == TALLY_OK && b->dialect)
    status = joint_mirror (joint, b, err);
  return status;
}

int
joint_open (struct joint *joint, struct tally *tally, const char *a_text,
            const char *b_text, enum joint_how how, struct tally_error *err)
{
  struct endpoint a = { 0 }, b = { 0 };
  int status;

  memset (joint, 0, sizeof *joint);
  joint->tally = tally;
  joint->how = how;
  status = endpoint_resolve (&a, tally, a_text, err);
  if (status == TALLY_OK)
    status = endpoint_resolve (&b, tally, b_text, err);
  if (status == TALLY_OK && !endpoint_is_store (&a))
    status = error_set (err, TALLY_USAGE,
                        "%s: is a transport; the first of a "
                        "pair is a store",
                        a_text);
  if (status == TALLY_OK)
    status = endpoint_is_store (&b) ? join_stores (joint, &a, &b, err)
                                    : join_transport (joint, &a, &b, err);
  endpoint_free (&b);
  endpoint_free (&a);
  if (status != TALLY_OK)
    joint_close (joint);
  return status;
}

void
joint_close (struct joint *joint)
{
  mirror_close (&joint->mirror);
  free (joint->mirror_key);
  if (joint->answer.replica || joint->vacant_channel)
    channel_close (joint->channel);
  else
    context_close_channel (joint->tally, joint->channel);
  tally_replica_close (joint->theirs);
  tally_replica_close (joint->ours);
  replica_close (joint->vacant_theirs);
  replica_close (joint->vacant_ours);
  memset (joint, 0, sizeof *joint);
}
