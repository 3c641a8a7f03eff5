/* SPDX-License-Identifier: MIT */
/* What checks are made of: the first assertion that does not hold ends its
 * check.  The names are those of cmocka, of which the program that runs them
 * has no need; never include both.  Assert only in the thread that runs the
 * check. */

#ifndef TALLY_KIT_ASSERTING_H
#define TALLY_KIT_ASSERTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined __GNUC__
#define KIT_NORETURN __attribute__ ((noreturn))
#define KIT_FORMAT(f, a) __attribute__ ((format (printf, f, a)))
#else
#define KIT_NORETURN
#define KIT_FORMAT(f, a)
#endif

/* The check ends here; the rest is what was seen. */
KIT_NORETURN void kit_fail (const char *file, int line, const char *format,
                            ...) KIT_FORMAT (3, 4);

/* The driver need not do this. */
KIT_NORETURN void kit_skip (void);

/* Words to be put in front of the next failure. */
void kit_note (const char *format, ...) KIT_FORMAT (1, 2);

void kit_equal (long long a, long long b, const char *text, const char *file,
                int line);
void kit_bytes (const void *a, const void *b, size_t size, const char *text,
                const char *file, int line);
void kit_texts (const char *a, const char *b, const char *text,
                const char *file, int line);

#define assert_true(c) \
  ((c) ? (void) 0 : kit_fail (__FILE__, __LINE__, "%s: does not hold", #c))
#define assert_false(c) assert_true (!(c))
#define assert_null(p) assert_true ((p) == NULL)
#define assert_non_null(p) assert_true ((p) != NULL)
#define assert_int_equal(a, b) \
  kit_equal ((long long) (a), (long long) (b), #a, __FILE__, __LINE__)
#define assert_int_not_equal(a, b) assert_true ((a) != (b))
#define assert_in_range(v, least, most) \
  assert_true ((v) >= (least) && (v) <= (most))
#define assert_memory_equal(a, b, size) \
  kit_bytes (a, b, size, #a, __FILE__, __LINE__)
#define assert_string_equal(a, b) kit_texts (a, b, #a, __FILE__, __LINE__)
#define skip kit_skip

#endif /* TALLY_KIT_ASSERTING_H */
