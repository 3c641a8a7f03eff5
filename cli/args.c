/* SPDX-License-Identifier: MIT */
/* getopt_long with its two conveniences taken out: an abbreviated option is
 * unknown (a later version may have a second one that begins so), and the
 * environment does not change what a command line means. */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "commands.h"

#define LONG 256    /* what getopt_long returns: LONG + enum option_key */
#define OPERAND 1   /* with '-' first in the string of letters */
#define ROWS_MAX 24 /* options of one command and the global ones */

/* What getopt_long is given. */
struct tables {
  const struct option_row *rows[2]; /* a command's, NULL: none; global */
  struct option longs[ROWS_MAX + 1];
  char letters[2 * ROWS_MAX + 3];
};

static void
build (struct tables *t, const struct command *command, char mode)
{
  const struct option_row *row;
  size_t i, n = 0, l = 0;

  memset (t, 0, sizeof *t);
  t->rows[0] = command ? command->options : NULL;
  t->rows[1] = global_options;
  t->letters[l++] = mode;
  t->letters[l++] = ':';
  for (i = 0; i < 2; i++)
    for (row = t->rows[i]; row && row->name && n < ROWS_MAX; row++, n++) {
      t->longs[n].name = row->name;
      t->longs[n].has_arg = row->value ? required_argument : no_argument;
      t->longs[n].val = LONG + (int) row->key;
      if (row->letter)
        t->letters[l++] = row->letter;
      if (row->letter && row->value)
        t->letters[l++] = ':';
    }
}

static const struct option_row *
row_of (const struct tables *t, int c)
{
  const struct option_row *row;
  size_t i;

  for (i = 0; i < 2; i++)
    for (row = t->rows[i]; row && row->name; row++)
      if (c >= LONG ? (int) row->key == c - LONG : row->letter == c)
        return row;
  return NULL;
}

/* `word` is without the dashes and may go on with "=VALUE". */
static int
unknown_long (const struct tables *t, const struct command *command,
              const char *word)
{
  char name[80];
  struct nearest nearest = { .word = name };
  const struct option_row *row;
  size_t i, length = strcspn (word, "=");

  if (length >= sizeof name)
    length = sizeof name - 1;
  memcpy (name, word, length);
  name[length] = '\0';
  for (i = 0; i < 2; i++)
    for (row = t->rows[i]; row && row->name; row++)
      nearest_offer (&nearest, row->name);
  if (nearest.best)
    fprintf (stderr, "tally: --%s: unknown option; did you mean \"--%s\"?\n",
             name, nearest.best);
  else
    fprintf (stderr, "tally: --%s: unknown option; see \"tally %s%s--help\"\n",
             name, command ? command->name : "", command ? " " : "");
  return 1;
}

static int
unknown_letter (const struct command *command, int c)
{
  char letter = c > ' ' && c < 127 ? (char) c : '?';

  /* An id may begin with a dash, and then looks like this. */
  if (command && strstr (command->synopsis, "ID"))
    fprintf (stderr,
             "tally: -%c: unknown option; before an id that begins "
             "with \"-\" put \"--\"\n",
             letter);
  else
    fprintf (stderr, "tally: -%c: unknown option; see \"tally %s%s--help\"\n",
             letter, command ? command->name : "", command ? " " : "");
  return 1;
}

static int
unknown_command (const char *word)
{
  struct nearest nearest = { .word = word };
  const struct command *c;

  for (c = commands; c->name; c++)
    nearest_offer (&nearest, c->name);
  if (nearest.best)
    fprintf (stderr, "tally: %s: unknown command; did you mean \"%s\"?\n",
             word, nearest.best);
  else
    fprintf (stderr, "tally: %s: unknown command; see \"tally --help\"\n",
             word);
  return 1;
}

/* The word of argv that getopt_long has just taken a long option from. */
static const char *
long_word (char **argv)
{
  int i = optind - 1;

  if (optarg && optarg == argv[i])
    i--;
  return argv[i] + 2;
}

static int
refuse (const struct tables *t, const struct command *command, int c,
        char **argv)
{
  const struct option_row *row;

  if (c == ':') {
    row = row_of (t, optopt);
    fprintf (stderr, "tally: --%s: needs a value (%s)\n", row->name,
             row->value);
    return 1;
  }
  if (optopt >= LONG) {
    row = row_of (t, optopt);
    fprintf (stderr, "tally: --%s: takes no value\n", row->name);
    return 1;
  }
  if (optopt)
    return unknown_letter (command, optopt);
  return unknown_long (t, command, argv[optind - 1] + 2);
}

/* Takes options (and, with mode '-', operands) up to the end or "--". */
static int
take (struct args *args, const struct command *command, char mode, int argc,
      char **argv)
{
  struct tables t;
  const struct option_row *row;
  const char *word;
  int c;

  build (&t, command, mode);
  opterr = 0;
  optind = 0; /* begin anew, in this mode */
  for (;;) {
    c = getopt_long (argc, argv, t.letters, t.longs, NULL);
    if (c == -1)
      return 0;
    if (c == OPERAND) {
      args->operands[args->n++] = optarg;
      continue;
    }
    row = c == ':' || c == '?' ? NULL : row_of (&t, c);
    if (!row)
      return refuse (&t, command, c, argv);
    if (c >= LONG) {
      word = long_word (argv);
      if (strcspn (word, "=") != strlen (row->name))
        return unknown_long (&t, command, word);
    }
    args->value[row->key] = row->value ? optarg : "";
    if (row->key == OPTION_OPTION)
      args->options[args->n_options++] = optarg;
  }
}

static int
count_operands (const struct args *args)
{
  const struct command *command = args->command;

  if (args->value[OPTION_HELP] || args->value[OPTION_VERSION])
    return 0;
  if (args->n >= command->least && args->n <= command->most)
    return 0;
  fprintf (stderr, "tally: %s: too %s arguments; use: tally %s%s%s\n",
           command->name, args->n < command->least ? "few" : "many",
           command->name, *command->synopsis ? " " : "", command->synopsis);
  return 1;
}

int
args_parse (struct args *args, int argc, char **argv)
{
  int first;

  memset (args, 0, sizeof *args);
  args->operands = calloc ((size_t) argc + 1, sizeof *args->operands);
  args->options = calloc ((size_t) argc + 1, sizeof *args->options);
  if (!args->operands || !args->options) {
    fprintf (stderr, "tally: arguments: out of memory\n");
    return 1;
  }
  if (take (args, NULL, '+', argc, argv))
    return 1;
  if (optind >= argc)
    return 0;
  first = optind;
  args->command = command_find (argv[first]);
  if (!args->command)
    return unknown_command (argv[first]);
  /* The command's name stands where getopt_long skips the program's. */
  if (take (args, args->command, '-', argc - first, argv + first))
    return 1;
  for (; optind < argc - first; optind++)
    args->operands[args->n++] = argv[first + optind];
  return count_operands (args);
}

void
args_free (struct args *args)
{
  free (args->operands);
  free (args->options);
  args->operands = NULL;
  args->options = NULL;
  args->n_options = 0;
  args->n = 0;
}
