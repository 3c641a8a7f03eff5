/* SPDX-License-Identifier: MIT */
/* Those who wait, in a list, and the thread that looks for them whenever the
 * store has changed.  A look is an ordinary answer to the frame that is kept;
 * it is sent once it says "changed", or once it is time. */

#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "waiters.h"
#include "wire.h"

/* Each holds a connection of the transport, which needs some for those who
 * sync. */
#define WAITERS_MAX 128

#define SLICE_MS 250 /* how late a deadline may be kept */

struct waiter {
  struct waiter *next;
  char *account;
  struct tally_slice frame; /* lives until the reply */
  waiters_reply_fn *reply;
  void *call;
  uint64_t deadline_ms;
  bool looked_at; /* since it came in */
};

struct waiters {
  const struct answer *answer;
  pthread_t thread;
  bool started;

  pthread_mutex_t lock; /* guards all below */
  pthread_cond_t changed;
  struct waiter *first;
  size_t n;
  bool stop;
};

static uint64_t
now_ms (void)
{
  return (uint64_t) (monotonic_seconds () * 1000);
}

/* ---- replies ------------------------------------------------------------ */

static void
send_frame (waiters_reply_fn *reply, void *call, int status,
            const struct buf *frame, const struct tally_error *why)
{
  struct tally_response response = { .size = sizeof response };

  response.code = status == TALLY_OK ? 200 : 500;
  response.content_type =
      status == TALLY_OK ? WIRE_CONTENT_TYPE : "text/plain; charset=utf-8";
  response.body =
      status == TALLY_OK ? buf_slice (frame) : slice_text (why->text);
  reply (call, &response);
}

static void
waiter_free (struct waiter *waiter)
{
  free (waiter->account);
  free (waiter);
}

/* True when the waiter has its reply; `last` gives it one in any case. */
static bool
serve_waiter (struct waiters *waiters, struct waiter *waiter, bool last)
{
  struct buf frame = BUF_INIT;
  struct tally_error why = { 0 };
  uint64_t wait_ms = 0;
  int status = answer_patiently (waiters->answer, waiter->account,
                                 waiter->frame, &frame, &wait_ms, &why);
  bool done = status != TALLY_OK || wait_ms == 0 || last;

  if (done)
    send_frame (waiter->reply, waiter->call, status, &frame, &why);
  buf_free (&frame);
  return done;
}

/* ---- the thread --------------------------------------------------------- */

/* Takes out those who are to be looked at.  Under the lock. */
static struct waiter *
take_due (struct waiters *waiters, bool moved)
{
  struct waiter **at = &waiters->first, *due = NULL;
  uint64_t now = now_ms ();

  while (*at) {
    struct waiter *waiter = *at;

    if (!moved && !waiters->stop && waiter->looked_at
        && waiter->deadline_ms > now) {
      at = &waiter->next;
      continue;
    }
    *at = waiter->next;
    waiter->next = due;
    due = waiter;
  }
  return due;
}

/* Without the lock: a look takes time, and a reply may call back. */
static void
look_at (struct waiters *waiters, struct waiter *due, bool stop)
{
  while (due) {
    struct waiter *waiter = due;
    bool done = serve_waiter (waiters, waiter,
                              stop || waiter->deadline_ms <= now_ms ());

    due = waiter->next;
    waiter->looked_at = true;
    pthread_mutex_lock (&waiters->lock);
    if (done)
      waiters->n--;
    else {
      waiter->next = waiters->first;
      waiters->first = waiter;
    }
    pthread_mutex_unlock (&waiters->lock);
    if (done)
      waiter_free (waiter);
  }
}

/* Who came in while this thread looked elsewhere has not been looked at, and
 * is in the next round, whether the store moved or not. */
static void *
watch_thread (void *ctx)
{
  struct waiters *waiters = ctx;
  struct replica_watch watch = { 0 };
  struct tally_error ignored;
  bool moved = true, stop = false;

  while (!stop) {
    struct waiter *due;

    pthread_mutex_lock (&waiters->lock);
    while (!waiters->first && !waiters->stop)
      pthread_cond_wait (&waiters->changed, &waiters->lock);
    stop = waiters->stop;
    due = take_due (waiters, moved);
    pthread_mutex_unlock (&waiters->lock);
    look_at (waiters, due, stop);
    if (!stop
        && replica_wait (waiters->answer->replica, &watch, SLICE_MS, &moved,
                         &ignored)
               != TALLY_OK) {
      /* Who waits learns of it from an answer.  A cancel is followed by a
       * stop. */
      moved = true;
      system_time.sleep_ms (NULL, SLICE_MS);
    }
  }
  return NULL;
}

/* ---- from outside ------------------------------------------------------- */

int
waiters_new (struct waiters **out, const struct answer *answer,
             struct tally_error *err)
{
  struct waiters *waiters = calloc (1, sizeof *waiters);

  *out = waiters;
  if (!waiters)
    return error_nomem (err);
  waiters->answer = answer;
  pthread_mutex_init (&waiters->lock, NULL);
  pthread_cond_init (&waiters->changed, NULL);
  waiters->started =
      pthread_create (&waiters->thread, NULL, watch_thread, waiters) == 0;
  return waiters->started
             ? TALLY_OK
             : error_set (err, TALLY_FAILED, "no thread for those who wait");
}

/* False: it is not to wait. */
static bool
keep (struct waiters *waiters, const char *account,
      const struct tally_request *request, waiters_reply_fn *reply, void *call,
      uint64_t wait_ms)
{
  struct waiter *waiter = calloc (1, sizeof *waiter);
  bool kept = false;

  if (!waiter)
    return false;
  waiter->account = strdup (account);
  waiter->frame = request->body;
  waiter->reply = reply;
  waiter->call = call;
  waiter->deadline_ms = now_ms () + wait_ms;
  pthread_mutex_lock (&waiters->lock);
  if (waiter->account && !waiters->stop && waiters->n < WAITERS_MAX) {
    waiter->next = waiters->first;
    waiters->first = waiter;
    waiters->n++;
    kept = true;
    pthread_cond_broadcast (&waiters->changed);
  }
  pthread_mutex_unlock (&waiters->lock);
  if (!kept)
    waiter_free (waiter);
  return kept;
}

void
waiters_answer (struct waiters *waiters, const char *account,
                const struct tally_request *request, waiters_reply_fn *reply,
                void *call)
{
  struct buf frame = BUF_INIT;
  struct tally_error why = { 0 };
  uint64_t wait_ms = 0;
  int status = answer_patiently (waiters->answer, account, request->body,
                                 &frame, &wait_ms, &why);

  if (status != TALLY_OK || wait_ms == 0
      || !keep (waiters, account, request, reply, call, wait_ms))
    send_frame (reply, call, status, &frame, &why);
  buf_free (&frame);
}

void
waiters_stop (struct waiters *waiters)
{
  if (!waiters)
    return;
  pthread_mutex_lock (&waiters->lock);
  waiters->stop = true;
  pthread_cond_broadcast (&waiters->changed);
  pthread_mutex_unlock (&waiters->lock);
  if (waiters->started)
    pthread_join (waiters->thread, NULL);
  waiters->started = false;
}

void
waiters_free (struct waiters *waiters)
{
  if (!waiters)
    return;
  waiters_stop (waiters);
  pthread_cond_destroy (&waiters->changed);
  pthread_mutex_destroy (&waiters->lock);
  free (waiters);
}
