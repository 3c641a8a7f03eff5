/* SPDX-License-Identifier: MIT */
/* Workloads on two stores: the program syncs one with the other, over HTTP
 * with a server of its own process. */

#include <inttypes.h>
#include <string.h>

#include "bench.h"

#define MEMORY_GOAL ((double) (64u << 20))
#define CHANGED 50
#define BATCH_BYTES ((uint64_t) 2 << 20)

/* Two stores, and what lies between them. */
struct pair {
  const struct bench *bench;
  const char *drivers[2];
  char paths[2][PATH_ROOM], ends[2][PATH_ROOM];
  char url[PATH_ROOM], listen[64];
  struct child server;
};

/* What the runs of a workload came to. */
struct figures {
  struct series seconds, sent, received, trips, near, far;
  double moved; /* documents, of the last run */
};

/* ---- stores ------------------------------------------------------------- */

static void
name_stores (struct pair *pair, const struct bench *bench, const char *a,
             const char *b)
{
  const char *const names[] = { a, b };

  memset (pair, 0, sizeof *pair);
  pair->bench = bench;
  pair->drivers[0] = bench->a;
  pair->drivers[1] = bench->b;
  snprintf (pair->listen, sizeof pair->listen, "127.0.0.1:0");
  for (int i = 0; i < 2; i++) {
    store_path (bench, pair->drivers[i], names[i], pair->paths[i]);
    store_endpoint (pair->drivers[i], pair->paths[i], pair->ends[i]);
  }
}

static void
put (const struct bench *bench, const char *store, const char *collection,
     uint64_t first, uint64_t n, unsigned version)
{
  struct text lines = { 0 };
  char path[PATH_ROOM + 16];
  const char *const arguments[] = {
    "put", "-q", store, collection, path, NULL
  };
  struct ended ended;

  snprintf (path, sizeof path, "%s/input", bench->folder);
  data_lines (&lines, first, n, version);
  write_file (path, &lines);
  text_free (&lines);
  run_program (bench, arguments, 0, &ended);
  remove_tree (path);
}

static bool
over_http (const struct bench *bench)
{
  return strcmp (bench->transport, "http") == 0;
}

static bool
over_folder (const struct bench *bench)
{
  return strcmp (bench->transport, "file") == 0;
}

/* A client knows a far side by its URL: so the port stays. */
static void
begin_serving (struct pair *pair)
{
  const char *port;

  if (!over_http (pair->bench))
    return;
  pair->server =
      start_server (pair->bench, pair->ends[1], pair->listen, pair->url);
  port = strrchr (pair->url, ':');
  snprintf (pair->listen, sizeof pair->listen, "127.0.0.1%s",
            port ? port : ":0");
}

static void
end_serving (struct pair *pair)
{
  if (pair->server.pid)
    stop_server (&pair->server);
  pair->server.pid = 0;
}

/* ---- one sync ----------------------------------------------------------- */

static void
run_pair (struct pair *pair, const char *near, const char *far,
          struct ended *ended)
{
  const char *const arguments[] = { "pair", "--json", near, far, NULL };

  run_program (pair->bench, arguments, pair->server.pid, ended);
}

static void
take_report (struct figures *figures, const struct ended *ended)
{
  series_add (&figures->seconds, number_in (ended->text, "seconds"));
  series_add (&figures->sent, number_in (ended->text, "bytes_sent"));
  series_add (&figures->received, number_in (ended->text, "bytes_received"));
  series_add (&figures->trips, number_in (ended->text, "round_trips"));
  series_add (&figures->near, (double) ended->anonymous);
  series_add (&figures->far, (double) ended->beside);
  figures->moved = number_in (ended->text, "pulled")
                   + number_in (ended->text, "pushed")
                   + number_in (ended->text, "merged");
}

/* Over a folder each side has a run of its own, and the time is that of
 * both. */
static void
sync_once (struct pair *pair, struct figures *figures)
{
  struct ended ended, other;
  char folder[PATH_ROOM + 16];

  if (!over_folder (pair->bench)) {
    run_pair (pair, pair->ends[0],
              over_http (pair->bench) ? pair->url : pair->ends[1], &ended);
    take_report (figures, &ended);
    return;
  }
  snprintf (folder, sizeof folder, "file:%s/stick", pair->bench->folder);
  run_pair (pair, pair->ends[0], folder, &ended);
  run_pair (pair, pair->ends[1], folder, &other);
  take_report (figures, &other);
  figures->seconds.values[figures->seconds.n - 1] +=
      number_in (ended.text, "seconds");
}

static void
row_begin_pair (struct pair *pair, struct figures *figures,
                const char *workload)
{
  row_begin (pair->bench, workload, pair->bench->n);
  row_text ("a", pair->drivers[0]);
  row_text ("b", pair->drivers[1]);
  row_text ("transport", pair->bench->transport);
  row_number ("moved", figures->moved);
  row_number ("seconds", series_median (&figures->seconds));
  row_number ("bytes_sent", series_median (&figures->sent));
  row_number ("bytes_received", series_median (&figures->received));
  row_number ("round_trips", series_median (&figures->trips));
  row_number ("anonymous", series_median (&figures->near));
  if (over_http (pair->bench))
    row_number ("anonymous_server", series_median (&figures->far));
}

static double
bytes_of (struct figures *figures)
{
  return series_median (&figures->sent) + series_median (&figures->received);
}

/* ---- first sync --------------------------------------------------------- */

static void
goals_of_first (struct pair *pair, struct figures *figures,
                struct series *limit, const char *into)
{
  double bytes = (double) data_bytes (pair->bench->n);

  if (limit->n > 0) {
    double most = series_median (limit);
    bool sqlite = strcmp (into, "sqlite") == 0;

    row_text ("limit", sqlite ? "INSERT ... SELECT of the same rows"
                              : "the engine alone, same records and batches");
    row_number ("limit_seconds", most);
    row_goal ("time", series_median (&figures->seconds) / most,
              sqlite ? 2.5 : 1.5);
  }
  row_number ("limit_bytes", bytes);
  row_number ("limit_http_seconds",
              limit_http ((uint64_t) bytes, BATCH_BYTES));
  row_goal ("bytes", bytes_of (figures) / bytes, 1.1);
  if (!over_http (pair->bench))
    return;
  row_goal ("anonymous memory", series_median (&figures->near), MEMORY_GOAL);
  row_goal ("anonymous memory of the server", series_median (&figures->far),
            MEMORY_GOAL);
}

/* from: which of the two has the documents. */
static void
first (const struct bench *bench, int from, const char *workload)
{
  struct figures figures = { .moved = 0 };
  struct series limit = { .n = 0 };
  char base[PATH_ROOM], end[PATH_ROOM], scratch[PATH_ROOM];
  uint64_t batch = BATCH_BYTES / (data_bytes (1000) / 1000);
  struct pair pair;

  name_stores (&pair, bench, "first-a", "first-b");
  store_path (bench, pair.drivers[from], "first-base", base);
  store_endpoint (pair.drivers[from], base, end);
  store_path (bench, pair.drivers[!from], "scratch", scratch);
  put (bench, end, COLLECTION, 0, bench->n, 0);
  for (unsigned i = 0; i < bench->runs; i++) {
    copy_tree (base, pair.paths[from]);
    remove_tree (pair.paths[!from]);
    begin_serving (&pair);
    sync_once (&pair, &figures);
    end_serving (&pair);
    if (figures.moved != (double) bench->n)
      die ("%s: moved %.0f documents", workload, figures.moved);
    if (limit_has (pair.drivers[!from]))
      series_add (&limit, limit_write (pair.drivers[!from], pair.paths[!from],
                                       scratch, bench->n, batch));
  }
  row_begin_pair (&pair, &figures, workload);
  goals_of_first (&pair, &figures, &limit, pair.drivers[!from]);
  row_end ();
  remove_tree (base);
}

void
work_first_push (const struct bench *bench)
{
  first (bench, 0, "first-push");
}

void
work_first_pull (const struct bench *bench)
{
  first (bench, 1, "first-pull");
}

/* ---- with a checkpoint -------------------------------------------------- */

static void
begin_pair (struct pair *pair, const struct bench *bench, const char *a,
            const char *b)
{
  struct figures ignored = { .moved = 0 };

  name_stores (pair, bench, a, b);
  remove_tree (pair->paths[0]);
  remove_tree (pair->paths[1]);
  put (bench, pair->ends[0], COLLECTION, 0, bench->n, 0);
  begin_serving (pair);
  sync_once (pair, &ignored);
}

void
work_nothing (const struct bench *bench)
{
  struct figures figures = { .moved = 0 };
  struct series limit = { .n = 0 };
  struct pair pair;

  begin_pair (&pair, bench, "same-a", "same-b");
  sync_once (&pair, &figures); /* with all that the first run left to say */
  memset (&figures, 0, sizeof figures);
  for (unsigned i = 0; i < bench->runs; i++) {
    sync_once (&pair, &figures);
    series_add (&limit, limit_http (1, 100));
    if (figures.moved != 0)
      die ("nothing: something moved");
  }
  end_serving (&pair);
  row_begin_pair (&pair, &figures, "nothing");
  row_text ("limit", "one exchange over HTTP");
  row_number ("limit_seconds", series_median (&limit));
  row_goal ("round trips", series_median (&figures.trips), 1);
  row_goal ("bytes", bytes_of (&figures), 600);
  row_end ();
}

void
work_changed (const struct bench *bench)
{
  struct figures figures = { .moved = 0 };
  double bytes = (double) data_bytes (2 * CHANGED);
  struct pair pair;

  begin_pair (&pair, bench, "changed-a", "changed-b");
  for (unsigned i = 0; i < bench->runs; i++) {
    end_serving (&pair);
    put (bench, pair.ends[0], COLLECTION, 0, CHANGED, i + 1);
    put (bench, pair.ends[1], COLLECTION, CHANGED, CHANGED, i + 1);
    begin_serving (&pair);
    sync_once (&pair, &figures);
    if (figures.moved != 2 * CHANGED)
      die ("changed: moved %.0f documents", figures.moved);
  }
  end_serving (&pair);
  row_begin_pair (&pair, &figures, "changed");
  row_number ("limit_bytes", bytes);
  row_goal ("round trips", series_median (&figures.trips), 4);
  row_goal ("bytes", bytes_of (&figures) / bytes, 1.2);
  row_end ();
}

/* ---- without one -------------------------------------------------------- */

/* Two stores with the same documents that never met: each met a third. */
static void
begin_strangers (struct pair *pair, const struct bench *bench)
{
  char path[PATH_ROOM], third[PATH_ROOM];
  struct ended ended;

  name_stores (pair, bench, "stranger-a", "stranger-b");
  store_path (bench, bench->b, "third", path);
  store_endpoint (bench->b, path, third);
  remove_tree (pair->paths[0]);
  remove_tree (pair->paths[1]);
  remove_tree (path);
  put (bench, pair->ends[0], COLLECTION, 0, bench->n, 0);
  run_pair (pair, pair->ends[0], third, &ended);
  run_pair (pair, third, pair->ends[1], &ended);
  remove_tree (path);
}

/* Of a comparison: 4 MB, what a process takes that does nothing, and the pages
 * that SQLite keeps of what it has read. */
static double
compare_goal (const char *driver)
{
  return 6.5e6 + (strcmp (driver, "sqlite") == 0 ? 16384 * 1024.0 : 0);
}

/* differ documents were changed on either side; small: with the memory of no
 * more than a comparison. */
static void
lost (const struct bench *bench, uint64_t differ, const char *workload,
      double trips, double besides, bool small)
{
  struct figures figures = { .moved = 0 };
  double bytes = (double) data_bytes (2 * differ);
  struct pair base, pair;

  begin_strangers (&base, bench);
  name_stores (&pair, bench, "lost-a", "lost-b");
  for (unsigned i = 0; i < bench->runs; i++) {
    for (int side = 0; side < 2; side++) {
      copy_tree (base.paths[side], pair.paths[side]);
      /* In any case something, so that a store knows that it was copied. */
      put (bench, pair.ends[side], "_local", 0, 1, i);
      if (differ > 0)
        put (bench, pair.ends[side], COLLECTION, (uint64_t) side * differ,
             differ, i + 1);
    }
    snprintf (pair.listen, sizeof pair.listen, "127.0.0.1:0");
    begin_serving (&pair);
    sync_once (&pair, &figures);
    end_serving (&pair);
    if (figures.moved != 2.0 * (double) differ)
      die ("%s: moved %.0f documents", workload, figures.moved);
  }
  row_begin_pair (&pair, &figures, workload);
  row_number ("limit_bytes", bytes);
  row_goal ("round trips", series_median (&figures.trips), trips);
  row_goal ("bytes besides documents", bytes_of (&figures) - bytes, besides);
  if (over_http (bench)) {
    row_goal ("anonymous memory", series_median (&figures.near),
              small ? compare_goal (bench->a) : MEMORY_GOAL);
    row_goal ("anonymous memory of the server", series_median (&figures.far),
              small ? compare_goal (bench->b) : MEMORY_GOAL);
  }
  row_end ();
}

/* 12 kB on average; what one nonce in a hundred takes where there are few. */
void
work_lost (const struct bench *bench)
{
  lost (bench, CHANGED, "lost", 3, bench->runs < 5 ? 16e3 : 12e3, true);
}

/* The bodies of one exchange, and heads around them. */
void
work_lost_same (const struct bench *bench)
{
  lost (bench, 0, "lost-same", 1, 450 + 250, true);
}

void
work_lost_many (const struct bench *bench)
{
  if (bench->n >= 20000)
    lost (bench, 5000, "lost-many", 16, 0.5e6, false);
}

void
work_lost_half (const struct bench *bench)
{
  lost (bench, bench->n / 4, "lost-half", 1e4, 16e6, false);
}
