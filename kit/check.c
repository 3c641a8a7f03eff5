/* SPDX-License-Identifier: MIT */
/* One check at a time in a thread; a failed assertion jumps out of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "asserting.h"
#include "check.h"

struct running {
  jmp_buf out;
  enum kit_outcome outcome;
  char *why;
  char note[KIT_WHY];
};

/* Assertions stand deep in functions that know nothing of a run. */
static _Thread_local struct running *running;

static void
leave (enum kit_outcome outcome)
{
  running->outcome = outcome;
  longjmp (running->out, 1);
}

void
kit_note (const char *format, ...)
{
  va_list args;

  va_start (args, format);
  vsnprintf (running->note, sizeof running->note, format, args);
  va_end (args);
}

void
kit_fail (const char *file, int line, const char *format, ...)
{
  const char *base = strrchr (file, '/');
  va_list args;
  int n = 0;

  if (running->note[0])
    n = snprintf (running->why, KIT_WHY, "%s; ", running->note);
  if (n >= 0 && n < KIT_WHY) {
    va_start (args, format);
    n += vsnprintf (running->why + n, (size_t) (KIT_WHY - n), format, args);
    va_end (args);
  }
  if (n >= 0 && n < KIT_WHY)
    snprintf (running->why + n, (size_t) (KIT_WHY - n), " (%s:%d)",
              base ? base + 1 : file, line);
  leave (KIT_FAILED);
  for (;;)
    ; /* leave does not return, which not every compiler sees */
}

void
kit_skip (void)
{
  leave (KIT_SKIPPED);
  for (;;)
    ;
}

void
kit_equal (long long a, long long b, const char *text, const char *file,
           int line)
{
  if (a != b)
    kit_fail (file, line, "%s is %lld, not %lld", text, a, b);
}

void
kit_bytes (const void *a, const void *b, size_t size, const char *text,
           const char *file, int line)
{
  const unsigned char *x = a, *y = b;

  for (size_t i = 0; i < size; i++)
    if (x[i] != y[i])
      kit_fail (file, line, "byte %zu of %s is 0x%02x, not 0x%02x", i, text,
                x[i], y[i]);
}

void
kit_texts (const char *a, const char *b, const char *text, const char *file,
           int line)
{
  if (strcmp (a, b) != 0)
    kit_fail (file, line, "%s is \"%.60s\", not \"%.60s\"", text, a, b);
}

enum kit_outcome
kit_run (const struct kit_suite *suite, const struct kit_check *check,
         const void *subject, char why[KIT_WHY])
{
  struct running run = { .outcome = KIT_OK, .why = why };
  struct running *before = running;
  void *volatile state = (void *) (uintptr_t) subject;
  void *made = state;

  why[0] = '\0';
  running = &run;
  if (setjmp (run.out) == 0) {
    if (suite->setup (&made) != 0) {
      state = NULL;
      kit_fail (__FILE__, __LINE__, "it could not be set up");
    }
    state = made;
    check->run (&made);
  }
  made = state;
  if (made && made != subject && setjmp (run.out) == 0)
    suite->teardown (&made);
  running = before;
  return run.outcome;
}
