/* SPDX-License-Identifier: MIT */
/* What goes out: JSON objects, one a line, and text for people.  Documents
 * come from the library as canonical JSON; only our own strings need
 * escaping, and they may hold anybody's bytes. */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "output.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* The length of the character at p, a terminated string; 0: not UTF-8. */
static size_t
utf8_length (const char *p)
{
  const unsigned char *u = (const unsigned char *) p;
  unsigned char low = 0x80, high = 0xbf; /* of the second byte */
  size_t length, i;

  if (u[0] < 0x80)
    return 1;
  if (u[0] < 0xc2 || u[0] > 0xf4)
    return 0;
  length = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
  if (u[0] == 0xe0)
    low = 0xa0;
  else if (u[0] == 0xf0)
    low = 0x90;
  if (u[0] == 0xed)
    high = 0x9f;
  else if (u[0] == 0xf4)
    high = 0x8f;
  if (u[1] < low || u[1] > high)
    return 0;
  for (i = 2; i < length; i++)
    if ((u[i] & 0xc0) != 0x80)
      return 0;
  return length;
}

/* C0, DEL and C1. */
static bool
is_control (const char *p)
{
  const unsigned char *u = (const unsigned char *) p;

  return u[0] < 0x20 || u[0] == 0x7f || (u[0] == 0xc2 && u[1] < 0xa0);
}

void
out_plain (FILE *file, const char *text)
{
  size_t length;

  for (; *text; text += length ? length : 1) {
    length = utf8_length (text);
    if (!length || is_control (text))
      fputc ('?', file);
    else
      fwrite (text, 1, length, file);
  }
}

static void
escape (unsigned char c)
{
  static const char letters[] = "btn\0fr";

  if (c == '"' || c == '\\')
    printf ("\\%c", c);
  else if (c >= 8 && c <= 13 && letters[c - 8])
    printf ("\\%c", letters[c - 8]);
  else
    printf ("\\u%04x", (unsigned) c);
}

void
out_string (const char *text)
{
  size_t length;

  if (!text) {
    fputs ("null", stdout);
    return;
  }
  putchar ('"');
  for (; *text; text += length ? length : 1) {
    length = utf8_length (text);
    if (!length)
      fputs (REPLACEMENT, stdout);
    else if ((unsigned char) *text < 0x20 || *text == '"' || *text == '\\')
      escape ((unsigned char) *text);
    else
      fwrite (text, 1, length, stdout);
  }
  putchar ('"');
}

const char *
plural (uint64_t number)
{
  return number == 1 ? "" : "s";
}

void
object_open (struct object *object)
{
  object->more = false;
  putchar ('{');
}

void
object_name (struct object *object, const char *name)
{
  if (object->more)
    putchar (',');
  object->more = true;
  out_string (name);
  putchar (':');
}

void
object_text (struct object *object, const char *name, const char *text)
{
  object_name (object, name);
  out_string (text);
}

void
object_number (struct object *object, const char *name, uint64_t number)
{
  object_name (object, name);
  printf ("%" PRIu64, number);
}

void
object_flag (struct object *object, const char *name, bool flag)
{
  object_name (object, name);
  fputs (flag ? "true" : "false", stdout);
}

void
object_json (struct object *object, const char *name, const char *json,
             size_t size)
{
  object_name (object, name);
  fwrite (json, 1, size, stdout);
}

void
object_close (void)
{
  fputs ("}\n", stdout);
}

void
time_text (char text[TIME_TEXT], uint64_t ms)
{
  time_t seconds = (time_t) (ms / 1000);
  struct tm tm;

  if (ms == 0)
    snprintf (text, TIME_TEXT, "never");
  else if (!gmtime_r (&seconds, &tm)
           || !strftime (text, TIME_TEXT, "%Y-%m-%d %H:%M:%SZ", &tm))
    snprintf (text, TIME_TEXT, "%" PRIu64 " ms", ms);
}

void
iso_text (char text[TIME_TEXT], uint64_t ms)
{
  time_t seconds = (time_t) (ms / 1000);
  char day[TIME_TEXT / 2 + 4];
  struct tm tm;

  if (!gmtime_r (&seconds, &tm)
      || !strftime (day, sizeof day, "%Y-%m-%dT%H:%M:%S", &tm))
    snprintf (text, TIME_TEXT, "%" PRIu64 " ms", ms);
  else
    snprintf (text, TIME_TEXT, "%s.%03uZ", day, (unsigned) (ms % 1000));
}

/* Cut between two characters. */
void
short_text (char text[SHORT_TEXT], const char *value)
{
  size_t size = strlen (value), most = SHORT_TEXT - 4;

  if (size <= most) {
    memcpy (text, value, size + 1);
    return;
  }
  while (most > 0 && ((unsigned char) value[most] & 0xc0) == 0x80)
    most--;
  memcpy (text, value, most);
  memcpy (text + most, "...", 4);
}

void
who_text (char text[SHORT_TEXT], const char *client, const char *device)
{
  char name[SHORT_TEXT];
  size_t most = SHORT_TEXT - strlen (client) - 4;

  if (!device) {
    snprintf (text, SHORT_TEXT, "%s", client);
    return;
  }
  short_text (name, device);
  if (strlen (name) > most) {
    while (most > 0 && ((unsigned char) name[most] & 0xc0) == 0x80)
      most--;
    name[most] = '\0';
  }
  snprintf (text, SHORT_TEXT, "%s (%s)", name, client);
}

bool
out_works (void)
{
  return !ferror (stdout);
}

int
out_end (void)
{
  int lost = 0;

  errno = 0;
  if (fflush (stdout) || ferror (stdout))
    lost = errno ? errno : EIO;
  errno = 0;
  /* A stdout that was closed from the start lost nothing yet. */
  if (fclose (stdout) && !lost && errno != EBADF)
    lost = errno;
  return lost;
}
