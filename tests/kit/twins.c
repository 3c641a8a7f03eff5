/* SPDX-License-Identifier: MIT */
/* See the header. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../core/namelist.h"
#include "../../core/slice.h"
#include "../../core/wire.h"
#include "../../core/write.h"
#include "chance.h"
#include "quiet-host.h"
#include "twins.h"

#define WALL_MS UINT64_C (1795910400000)
#define SKEW_MS (5 * 60 * 1000)

const struct tally_driver *tally_driver_1 (void);

static void
must (int status, const struct tally_error *err)
{
  if (status != TALLY_OK)
    fail_msg ("%s", err->text);
}

/* ---- stores ------------------------------------------------------------- */

static uint64_t
wall_ms (void *ctx)
{
  return ((const struct twins *) ctx)->wall_ms;
}

static void
sleep_ms (void *ctx, unsigned ms)
{
  ((struct twins *) ctx)->wall_ms += ms;
}

static uint64_t rows_read;

uint64_t
twins_rows (void)
{
  uint64_t n = rows_read;

  rows_read = 0;
  return n;
}

struct counted {
  tally_emit_doc *emit;
  void *ctx;
};

static int
count_row (void *ctx, const struct tally_doc *doc)
{
  const struct counted *counted = ctx;

  rows_read++;
  return counted->emit (counted->ctx, doc);
}

static int
count_scan (void *handle, const char *collection,
            const struct tally_position *from, const struct tally_position *to,
            tally_emit_doc *emit, void *ctx, uint64_t *seq,
            struct tally_error *err)
{
  struct counted counted = { emit, ctx };

  return tally_driver_1 ()->store->scan (handle, collection, from, to,
                                         count_row, &counted, seq, err);
}

static int
count_changes (void *handle, const char *collection, uint64_t since,
               tally_emit_doc *emit, void *ctx, uint64_t *head,
               struct tally_error *err)
{
  struct counted counted = { emit, ctx };

  return tally_driver_1 ()->store->changes (handle, collection, since,
                                            count_row, &counted, head, err);
}

static struct replica *
open_store (struct twins *twins, const char *name)
{
  static const struct tally_value values[1] = { { NULL, 0 } };
  static const struct tally_host host = QUIET_HOST;
  static struct tally_store ops;
  static const struct driver driver = { .name = "memory", .store = &ops };
  struct time_source time = { wall_ms, sleep_ms, twins };
  struct replica_setup setup = { .driver = &driver,
                                 .values = values,
                                 .flags = TALLY_OPEN_CREATE,
                                 .name = name,
                                 .place = name,
                                 .host = &host,
                                 .time = &time,
                                 .max_skew_ms = SKEW_MS };
  struct replica *replica = NULL;
  struct tally_error err = { 0 };

  ops = *tally_driver_1 ()->store;
  ops.scan = count_scan;
  ops.changes = count_changes;
  must (replica_open (&replica, &setup, &err), &err);
  return replica;
}

/* ---- what is between ---------------------------------------------------- */

static struct tally_slice
rewrite (const struct twins *twins, twins_rewrite_fn *fn,
         struct tally_slice frame, char **made)
{
  *made = fn ? fn (twins->ctx, frame.data, &frame.size) : NULL;
  return *made ? slice_make (*made, frame.size) : frame;
}

static int
exchange (void *handle, const struct tally_request *request,
          tally_emit_response *emit, void *ctx, struct tally_traffic *traffic,
          struct tally_error *err)
{
  struct twins *twins = handle;
  struct tally_response response = { .size = sizeof response, .code = 200 };
  char *asked, *answered = NULL;
  struct tally_slice frame =
      rewrite (twins, twins->request, request->body, &asked);
  struct buf reply = BUF_INIT;
  int status;

  twins->exchanges++;
  if (twins->begins)
    twins->begins (twins->ctx);
  status = answer_frame (&twins->answer, ACCOUNT_DEFAULT, frame, &reply, err);
  if (twins->ended)
    twins->ended (twins->ctx);
  if (status == TALLY_OK) {
    response.content_type = WIRE_CONTENT_TYPE;
    response.body =
        rewrite (twins, twins->reply, buf_slice (&reply), &answered);
    traffic->sent += frame.size;
    traffic->received += response.body.size;
    emit (ctx, &response);
  }
  free (asked);
  free (answered);
  buf_free (&reply);
  return status;
}

static void
close_nothing (void *handle)
{
  (void) handle;
}

static const struct tally_transport between = {
  TALLY_TRANSPORT_INIT,
  .threads = TALLY_THREADS_ANY,
  .close = close_nothing,
  .exchange = exchange,
};

void
twins_start (struct twins *twins, uint64_t seed)
{
  struct tally_error err = { 0 };

  memset (twins, 0, sizeof *twins);
  chance_start (seed);
  twins->wall_ms = WALL_MS;
  twins->near = open_store (twins, "near");
  twins->far = open_store (twins, "far");
  twins->answer.replica = twins->far;
  twins->answer.device = "far";
  must (channel_adopt (&twins->channel, &between, twins, "between", &err),
        &err);
}

void
twins_free (struct twins *twins)
{
  channel_close (twins->channel);
  replica_close (twins->near);
  replica_close (twins->far);
}

/* ---- documents ---------------------------------------------------------- */

#define BATCH 1000

static void
add_document (struct buf *out, unsigned i, unsigned version)
{
  size_t began = out->size;

  buf_addf (out, "{\"_id\":\"%08x%08x\",\"text\":\"", i * 2654435761u, i);
  while (out->size < began + TWINS_BODY - 50)
    buf_addf (out, "what is written in %08x ", i);
  buf_addf (out, "\",\"v\":\"%08x\"}", version);
  assert_false (out->failed);
}

uint64_t
twins_bytes (unsigned n)
{
  struct buf one = BUF_INIT;
  uint64_t bytes;

  add_document (&one, 0, 0);
  bytes = (uint64_t) one.size * n;
  buf_free (&one);
  return bytes;
}

static void
write_some (struct replica *replica, unsigned first, unsigned n,
            unsigned version)
{
  struct write_item *items = calloc (n, sizeof *items);
  struct write_result *results = calloc (n, sizeof *results);
  struct buf bodies = BUF_INIT;
  struct tally_error err = { 0 };
  size_t *ends = calloc (n, sizeof *ends), at = 0;

  assert_true (items && results && ends);
  for (unsigned i = 0; i < n; i++) {
    add_document (&bodies, first + i, version);
    ends[i] = bodies.size;
  }
  for (unsigned i = 0; i < n; at = ends[i++]) {
    items[i].body = slice_make (bodies.data + at, ends[i] - at);
    items[i].id = slice_make (items[i].body.data + 8, 16);
  }
  must (write_batch (replica, TWINS_COLLECTION, items, n, results, &err),
        &err);
  for (unsigned i = 0; i < n; i++)
    assert_int_equal (results[i].status, TALLY_OK);
  free (items);
  free (results);
  free (ends);
  buf_free (&bodies);
}

void
twins_write (struct twins *twins, struct replica *replica, unsigned first,
             unsigned n, unsigned version)
{
  for (unsigned at = 0; at < n; at += BATCH) {
    twins->wall_ms += 7;
    write_some (replica, first + at, n - at < BATCH ? n - at : BATCH, version);
  }
}

static int
emit_row (void *ctx, const struct tally_doc *doc)
{
  struct buf *out = ctx;

  buf_add_slice (out, doc->id);
  buf_add (out, doc->rev, TALLY_REV_SIZE);
  return 0;
}

void
twins_same (struct twins *twins)
{
  struct replica *const both[] = { twins->near, twins->far };
  struct buf rows[2] = { BUF_INIT, BUF_INIT };
  struct tally_error err = { 0 };

  for (size_t i = 0; i < 2; i++) {
    uint64_t seq;

    must (replica_scan (both[i], TWINS_COLLECTION, NULL, NULL, emit_row,
                        &rows[i], &seq, &err),
          &err);
    assert_false (rows[i].failed);
  }
  assert_true (slice_equal (buf_slice (&rows[0]), buf_slice (&rows[1])));
  buf_free (&rows[0]);
  buf_free (&rows[1]);
}

/* ---- runs --------------------------------------------------------------- */

static int
add_report (void *ctx, const struct tally_report *report)
{
  struct twins_run *run = ctx;

  snprintf (run->strategy, sizeof run->strategy, "%s", report->strategy);
  run->pulled += report->pulled;
  run->pushed += report->pushed;
  run->merged += report->merged;
  run->round_trips += report->round_trips;
  run->bytes += report->bytes_sent + report->bytes_received;
  return 0;
}

void
twins_try (struct twins *twins, const unsigned char *nonce,
           struct twins_run *run)
{
  struct engine_link link = { .name = "twins",
                              .replica = twins->near,
                              .channel = twins->channel,
                              .direction = TALLY_BOTH,
                              .device = "near",
                              .nonce = nonce };

  memset (run, 0, sizeof *run);
  twins->exchanges = 0;
  run->status = engine_sync (&link, add_report, run, &run->err);
}

void
twins_sync (struct twins *twins, const unsigned char *nonce,
            struct twins_run *run)
{
  twins_try (twins, nonce, run);
  must (run->status, &run->err);
}

static void
drop_notes (struct replica *replica, const char *prefix)
{
  struct namelist names = NAMELIST_INIT;
  struct tally_error err = { 0 };

  must (replica_note_list (replica, prefix, namelist_emit, &names, &err),
        &err);
  assert_false (names.failed);
  for (size_t i = 0; i < names.count; i++)
    must (replica_note_put (replica, names.names[i], NULL, NULL, &err), &err);
  namelist_free (&names);
}

void
twins_part (struct twins *twins)
{
  struct replica *const both[] = { twins->near, twins->far };

  for (size_t i = 0; i < 2; i++) {
    drop_notes (both[i], "pair/");
    drop_notes (both[i], "peer/");
    drop_notes (both[i], "route/");
  }
}
