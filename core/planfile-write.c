/* SPDX-License-Identifier: MIT */
/* Saving plans: a new file beside it, made durable, takes the name at the
 * end, so that there is a whole plan or none. */

#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "buf.h"
#include "error.h"
#include "json.h"
#include "planfile-internal.h"
#include "rev.h"
#include "utf8.h"

/* A head is not longer. */
#define HEAD_MAX ((size_t) 1 << 20)

struct planfile_writer {
  char *path, *temp;
  FILE *file; /* NULL: finished */
  crypto_generichash_state hash;
  uint64_t items;
  struct buf line;
};

static int
fail (const char *path, int number, struct tally_error *err)
{
  char reason[128] = "cannot be written";

  if (number)
    strerror_r (number, reason, sizeof reason);
  if (reason[0] >= 'A' && reason[0] <= 'Z')
    reason[0] = (char) (reason[0] - 'A' + 'a');
  return error_set (err,
                    number == EACCES || number == EPERM ? TALLY_DENIED
                    : number == ENOENT                  ? TALLY_NOTFOUND
                                                        : TALLY_FAILED,
                    "%s: %s", path, reason);
}

/* ---- what is there ------------------------------------------------------ */

static bool
begins_as_plan (FILE *file)
{
  char *line = NULL;
  size_t room = 0;
  ssize_t size = getline (&line, &room, file);
  bool plan = size > 1 && (size_t) size < HEAD_MAX && line[size - 1] == '\n'
              && planfile_is_head (slice_make (line, (size_t) size - 1));

  free (line);
  return plan;
}

/* A name that is free, or a plan's. */
static int
check_target (const char *path, struct tally_error *err)
{
  struct stat st;
  FILE *file;
  bool plan;

  if (stat (path, &st) < 0)
    return errno == ENOENT ? TALLY_OK : fail (path, errno, err);
  file = S_ISREG (st.st_mode) ? fopen (path, "rb") : NULL;
  plan = file && begins_as_plan (file);
  if (file)
    fclose (file);
  if (plan)
    return TALLY_OK;
  return error_set (err, TALLY_INVALID,
                    "%s: is there and is no plan; name another file", path);
}

/* ---- writing ------------------------------------------------------------ */

static char *
temp_name (const char *path)
{
  unsigned char random[8];
  char hex[2 * sizeof random + 1];
  size_t size = strlen (path) + sizeof hex + 8;
  char *name = malloc (size);

  randombytes_buf (random, sizeof random);
  sodium_bin2hex (hex, sizeof hex, random, sizeof random);
  if (name)
    snprintf (name, size, "%s.%s.tmp", path, hex);
  return name;
}

int
planfile_begin (struct planfile_writer **out, const char *path,
                struct tally_error *err)
{
  struct planfile_writer *writer;
  int fd, status = check_target (path, err);

  *out = NULL;
  if (status != TALLY_OK)
    return status;
  writer = calloc (1, sizeof *writer);
  if (!writer)
    return error_nomem (err);
  writer->path = strdup (path);
  writer->temp = temp_name (path);
  if (!writer->path || !writer->temp)
    status = error_nomem (err);
  else {
    fd = open (writer->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    writer->file = fd < 0 ? NULL : fdopen (fd, "wb");
    if (!writer->file)
      status = fail (path, errno, err);
  }
  if (status != TALLY_OK) {
    planfile_free_writer (writer);
    return status;
  }
  crypto_generichash_init (&writer->hash, NULL, 0, PLANFILE_ID_SIZE);
  *out = writer;
  return TALLY_OK;
}

/* Writes the line that was made. */
static int
put_line (struct planfile_writer *writer, struct tally_error *err)
{
  struct buf *line = &writer->line;

  buf_add_byte (line, '\n');
  if (line->failed)
    return error_nomem (err);
  if (fwrite (line->data, 1, line->size, writer->file) != line->size)
    return fail (writer->path, errno, err);
  crypto_generichash_update (&writer->hash, (const unsigned char *) line->data,
                             line->size);
  return TALLY_OK;
}

static void
add_hex (struct buf *line, const char *name, const unsigned char *bytes)
{
  char hex[2 * PLANFILE_ID_SIZE + 1];

  sodium_bin2hex (hex, sizeof hex, bytes, PLANFILE_ID_SIZE);
  buf_addf (line, "\"%s\":\"%s\"", name, hex);
}

/* What is no UTF-8 cannot stand in it. */
static void
add_text (struct buf *line, const char *text)
{
  struct tally_slice slice = slice_text (text);

  json_encode_string (line, utf8_valid (slice) ? slice : slice_text (""));
}

int
planfile_put_head (struct planfile_writer *writer,
                   const struct planfile_head *head, struct tally_error *err)
{
  struct buf *line = &writer->line;

  buf_clear (line);
  buf_add_text (line, "{\"collections\":");
  if (head->collections)
    add_text (line, head->collections);
  else
    buf_add_text (line, "null");
  buf_addf (line, ",\"direction\":\"%s\",",
            planfile_direction (head->direction));
  add_hex (line, "far", head->far);
  buf_add_text (line, ",\"link\":");
  add_text (line, head->link);
  buf_add_byte (line, ',');
  add_hex (line, "local", head->local);
  buf_add_text (line, ",\"tally_plan\":1}");
  return put_line (writer, err);
}

static void
add_rev (struct buf *line, const char *name, const unsigned char *rev)
{
  static const unsigned char absent[TALLY_REV_SIZE];
  char text[TALLY_REV_TEXT];

  if (memcmp (rev, absent, sizeof absent) == 0) {
    buf_addf (line, ",\"%s\":null", name);
    return;
  }
  rev_to_text (text, rev);
  buf_addf (line, ",\"%s\":\"%s\"", name, text);
}

int
planfile_put (struct planfile_writer *writer, const struct plan_move *move,
              struct tally_error *err)
{
  struct buf *line = &writer->line;

  buf_clear (line);
  buf_add_text (line, "{\"_id\":");
  json_encode_string (line, move->id);
  buf_addf (line, ",\"action\":\"%s\",%s\"collection\":\"%s\",\"deleted\":%s",
            planfile_step (move->step), move->again ? "\"again\":true," : "",
            move->collection, move->deleted ? "true" : "false");
  add_rev (line, "local", move->local_rev);
  add_rev (line, "remote", move->remote_rev);
  buf_add_byte (line, '}');
  writer->items++;
  return put_line (writer, err);
}

/* ---- finishing ---------------------------------------------------------- */

static int
put_end (struct planfile_writer *writer, struct tally_error *err)
{
  unsigned char sum[PLANFILE_ID_SIZE];
  struct buf *line = &writer->line;

  crypto_generichash_final (&writer->hash, sum, sizeof sum);
  buf_clear (line);
  buf_add_byte (line, '{');
  add_hex (line, "checksum", sum);
  buf_addf (line, ",\"items\":%llu}", (unsigned long long) writer->items);
  crypto_generichash_init (&writer->hash, NULL, 0, PLANFILE_ID_SIZE);
  return put_line (writer, err);
}

/* The name is durable, too; where a folder cannot be synced it is so soon. */
static void
sync_parent (const char *path)
{
  const char *slash = strrchr (path, '/');
  char *parent =
      slash ? strndup (path, (size_t) (slash - path) + 1) : strdup (".");
  int fd = parent ? open (parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

  if (fd >= 0) {
    fsync (fd);
    close (fd);
  }
  free (parent);
}

int
planfile_finish (struct planfile_writer *writer, struct tally_error *err)
{
  int status = put_end (writer, err);

  if (status != TALLY_OK)
    return status;
  if (fflush (writer->file) != 0 || fsync (fileno (writer->file)) < 0)
    return fail (writer->path, errno, err);
  status = fclose (writer->file);
  writer->file = NULL;
  /* It may have come to be meanwhile. */
  if (status == 0)
    status = check_target (writer->path, err);
  else
    status = fail (writer->path, errno, err);
  if (status == TALLY_OK && rename (writer->temp, writer->path) < 0)
    status = fail (writer->path, errno, err);
  if (status != TALLY_OK) {
    unlink (writer->temp);
    return status;
  }
  sync_parent (writer->path);
  return TALLY_OK;
}

void
planfile_free_writer (struct planfile_writer *writer)
{
  if (!writer)
    return;
  if (writer->file) {
    fclose (writer->file);
    unlink (writer->temp);
  }
  buf_free (&writer->line);
  free (writer->temp);
  free (writer->path);
  free (writer);
}
