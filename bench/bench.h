/* SPDX-License-Identifier: MIT */
/* The bench measures the program and the library from outside, as a user
 * would, and beside each figure what the machine and the engines below can do
 * at best, in the same run.  This header is what its files share. */

#ifndef TALLY_BENCH_H
#define TALLY_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <tally/tally.h>

#define PATH_ROOM 512
#define ID_SIZE 16
#define COLLECTION "items"

struct bench {
  uint64_t n;            /* documents */
  unsigned runs;         /* of each workload; the median is told */
  const char *a, *b;     /* store drivers */
  const char *transport; /* "local", "http" or "file" */
  const char *program;   /* tally */
  char folder[256];      /* of this run, removed at its end */
};

/* Ends the program: a bench that cannot measure has nothing to say. */
_Noreturn void die (const char *format, ...);

/* ---- data.c: documents -------------------------------------------------- */

struct text {
  char *data;
  size_t size, room;
};

/* The id of the i-th document, with its NUL. */
void data_id (uint64_t i, char id[ID_SIZE + 1]);

/* Appends the i-th document, about 300 bytes of canonical JSON; another
 * version of it has another value in one field. */
void data_document (struct text *out, uint64_t i, unsigned version);

/* Appends n documents from the first on, a line each. */
void data_lines (struct text *out, uint64_t first, uint64_t n,
                 unsigned version);

/* The bytes of the documents 0 to n - 1, without line ends. */
uint64_t data_bytes (uint64_t n);
void text_free (struct text *text);

/* A number below n, the same in each run. */
uint64_t data_random (uint64_t *state, uint64_t n);

/* ---- children.c: the program, and what it takes ------------------------- */

struct child {
  int pid;
  int out; /* its standard output */
};

struct ended {
  double seconds;     /* from start to end */
  uint64_t anonymous; /* bytes of anonymous memory at most */
  uint64_t beside;    /* the same of `other` meanwhile */
  char text[4096];    /* the end of what it printed */
};

/* Runs the program to its end and looks at its memory, and that of another
 * process (0: none), every few milliseconds.  Dies if it fails. */
void run_program (const struct bench *bench, const char *const *arguments,
                  int other, struct ended *ended);

/* Starts `tally serve` on a store; fills the url. */
struct child start_server (const struct bench *bench, const char *store,
                           const char *listen, char url[PATH_ROOM]);
void stop_server (struct child *server);

/* The number after "key": in a line of JSON, or 0. */
double number_in (const char *json, const char *key);

/* Copies a file or a folder; removes one; its size. */
void copy_tree (const char *from, const char *to);
void remove_tree (const char *path);
uint64_t size_of_tree (const char *path);
void write_file (const char *path, const struct text *text);
double now_seconds (void);

/* Processor seconds that this process took between the last two calls of
 * now_seconds: other work on the machine changes these less. */
double cpu_seconds (void);

/* ---- limit*.c: what is below us ----------------------------------------- */

/* A store that was written, read with its engine alone: the same records
 * written again in batches of so many documents (0: one batch of all). */
bool limit_has (const char *driver);
double limit_write (const char *driver, const char *path, const char *scratch,
                    uint64_t n, uint64_t batch);

/* Reads n documents of it by key, in random order. */
double limit_read (const char *driver, const char *path, uint64_t n);

/* Bytes of the store's records without compression or empty room. */
uint64_t limit_size (const char *driver, const char *path,
                     const char *scratch);

/* count times: so many bytes at the end of a file, and fdatasync. */
double limit_append (const char *path, size_t bytes, unsigned count);

/* So many bytes over HTTP on this machine, with nothing behind it, in
 * exchanges of so many. */
double limit_http (uint64_t bytes, uint64_t exchange);
double limit_copy (uint64_t bytes);

/* ---- rows.c: what is told ----------------------------------------------- */

#define RUNS_MAX 99

/* A figure of each run. */
struct series {
  double values[RUNS_MAX];
  unsigned n;
};

void series_add (struct series *series, double value);
double series_median (struct series *series);

/* One line of JSON, put together field by field. */
void row_begin (const struct bench *bench, const char *workload,
                uint64_t documents);
void row_text (const char *key, const char *value);
void row_number (const char *key, double value);

/* A goal: what is, and the most that it may be. */
void row_goal (const char *what, double is, double most);
void row_end (void);

/* ---- the workloads ------------------------------------------------------ */

/* stores.c */
void work_bulk_put (const struct bench *bench);
void work_single_put (const struct bench *bench);
void work_point_get (const struct bench *bench);
void work_in_process (const struct bench *bench);
void work_size (const struct bench *bench);

/* queries.c */
void work_lookup (const struct bench *bench);
void work_scan (const struct bench *bench);

/* syncs.c */
void work_first_push (const struct bench *bench);
void work_first_pull (const struct bench *bench);
void work_nothing (const struct bench *bench);
void work_changed (const struct bench *bench);
void work_lost (const struct bench *bench);
void work_lost_same (const struct bench *bench);
void work_lost_many (const struct bench *bench);
void work_lost_half (const struct bench *bench);

/* A store in this process; what fails ends the bench. */
struct opened {
  struct tally *tally;
  struct tally_replica *replica;
};

void must (int status, const struct tally_error *err);
struct opened open_alone (const char *driver, const char *path);
void close_alone (struct opened *opened);

/* Seconds that n documents took; they are made before the clock runs. */
double put_all (struct tally_replica *replica, uint64_t n);

/* The row of a workload on one store. */
void row_begin_store (const struct bench *bench, const char *workload,
                      uint64_t n);

/* The endpoint of a driver's store in the bench's folder, and its path. */
void store_path (const struct bench *bench, const char *driver,
                 const char *name, char path[PATH_ROOM]);
void store_endpoint (const char *driver, const char *path,
                     char endpoint[PATH_ROOM]);

#endif /* TALLY_BENCH_H */
