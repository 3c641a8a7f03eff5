/* SPDX-License-Identifier: MIT */
/* Answers for programs that talk in lines: a command a line on standard input,
 * {"do":"find","query":"{}",...}, a reply a line on standard output.
 *   answer ENDPOINT */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <tally/tally.h>

#define COLLECTION "c"

static void
fail (const struct tally_error *err)
{
  json_t *reply = json_pack ("{ss}", "error", err->text);

  json_dumpf (reply, stdout, JSON_COMPACT);
  json_decref (reply);
}

static uint64_t
number_of (const json_t *command, const char *name)
{
  return (uint64_t) json_integer_value (json_object_get (command, name));
}

static const char *
string_of (const json_t *command, const char *name)
{
  return json_string_value (json_object_get (command, name));
}

static int
print_document (void *ctx, const struct tally_document *document)
{
  FILE *out = ctx;

  fwrite (document->json, 1, document->json_size, out);
  fputc (',', out);
  return 0;
}

/* Nothing is said before it is known that all went well. */
static int
find (struct tally_replica *replica, const json_t *command,
      struct tally_error *err)
{
  struct tally_find_options options = { .size = sizeof options };
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream (&text, &size);
  int status;

  options.sort = string_of (command, "sort");
  options.fields = string_of (command, "fields");
  options.skip = number_of (command, "skip");
  options.limit = number_of (command, "limit");
  status = tally_find (replica, COLLECTION, string_of (command, "query"),
                       &options, print_document, out, err);
  fclose (out);
  if (status == TALLY_OK)
    printf ("{\"documents\":[%.*s]}", size ? (int) size - 1 : 0, text);
  free (text);
  return status;
}

static int
update (struct tally_replica *replica, const json_t *command,
        struct tally_error *err)
{
  struct tally_update_options options = { .size = sizeof options };

  options.one = (int) number_of (command, "one");
  options.upsert = (int) number_of (command, "upsert");
  return tally_update (replica, COLLECTION, string_of (command, "query"),
                       string_of (command, "update"), &options, NULL, NULL,
                       err);
}

/* These documents and no others. */
static int
put (struct tally_replica *replica, const json_t *command,
     struct tally_error *err)
{
  const char *documents = string_of (command, "documents");
  int status = tally_remove_found (replica, COLLECTION, "{}", NULL, NULL, err);

  if (status == TALLY_OK)
    status = tally_put (replica, COLLECTION, documents, strlen (documents),
                        NULL, NULL, NULL, err);
  return status;
}

static void
answer (struct tally_replica *replica, const json_t *command)
{
  const char *what = string_of (command, "do");
  struct tally_error err = { 0, "" };
  int status;

  if (strcmp (what, "find") == 0)
    status = find (replica, command, &err);
  else if (strcmp (what, "put") == 0)
    status = put (replica, command, &err);
  else if (strcmp (what, "index") == 0)
    status = tally_index (replica, COLLECTION, string_of (command, "fields"),
                          NULL, &err);
  else
    status = update (replica, command, &err);
  if (status != TALLY_OK)
    fail (&err);
  else if (strcmp (what, "find") != 0)
    fputs ("{}", stdout);
  putchar ('\n');
  fflush (stdout);
}

int
main (int argc, char **argv)
{
  struct tally_error err = { 0, "" };
  struct tally_replica *replica;
  struct tally *tally;
  char *line = NULL;
  size_t room = 0;

  if (argc != 2 || tally_new (&tally, NULL, &err) != TALLY_OK
      || tally_replica_open (&replica, tally, argv[1], TALLY_OPEN_CREATE, &err)
             != TALLY_OK) {
    fprintf (stderr, "answer: %s\n", argc != 2 ? "ENDPOINT" : err.text);
    return 1;
  }
  while (getline (&line, &room, stdin) > 0) {
    json_t *command = json_loads (line, 0, NULL);

    if (!command || !string_of (command, "do"))
      return 1;
    answer (replica, command);
    json_decref (command);
  }
  free (line);
  tally_replica_close (replica);
  tally_free (tally);
  return 0;
}
