/* SPDX-License-Identifier: MIT */
/* What goes out: JSON objects, one a line, and text for people.  A failed
 * write is not reported where it happens; out_end finds it. */

#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Text that others wrote, on one line and without what would steer a
 * terminal. */
void out_plain (FILE *file, const char *text);

/* A JSON string; NULL is null, and what is not UTF-8 becomes U+FFFD. */
void out_string (const char *text);

/* What makes one of so many a plural: "s", or nothing for one. */
const char *plural (uint64_t number);

/* An object on stdout: open, members in order, close. */
struct object {
  bool more; /* a comma comes before the next member */
};

void object_open (struct object *object);
void object_name (struct object *object, const char *name);
void object_text (struct object *object, const char *name, const char *text);
void object_number (struct object *object, const char *name, uint64_t number);
void object_flag (struct object *object, const char *name, bool flag);
void object_json (struct object *object, const char *name, const char *json,
                  size_t size);
void object_close (void); /* ends the line, too */

/* "never", or the time in UTC. */
#define TIME_TEXT 40
void time_text (char text[TIME_TEXT], uint64_t ms);

/* The time in UTC as in ISO 8601, to the millisecond. */
void iso_text (char text[TIME_TEXT], uint64_t ms);

/* A value, or who wrote something, at a length that fits in a table. */
#define SHORT_TEXT 64
void short_text (char text[SHORT_TEXT], const char *value);
void who_text (char text[SHORT_TEXT], const char *client, const char *device);

/* False once stdout has failed: no use in going on. */
bool out_works (void);

/* Flushes and closes stdout.  Returns 0, or the errno of what was lost. */
int out_end (void);

#endif
