/* SPDX-License-Identifier: MIT */
/* Requests, and what becomes of them; see transport-kit.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport-kit.h"

int
kit_emit (void *ctx, const struct tally_response *response)
{
  struct answer *a = ctx;

  a->code = response->code;
  snprintf (a->type, sizeof a->type, "%s",
            response->content_type ? response->content_type : "-");
  a->size = response->body.size;
  a->body = malloc (a->size + 1);
  if (a->size > 0)
    memcpy (a->body, response->body.data, a->size);
  return 0;
}

void *
kit_ask_main (void *ctx)
{
  struct answer *a = ctx;
  struct tally_request request = { .size = sizeof request,
                                   .verb = "POST",
                                   .path = a->path,
                                   .content_type = "text/x" };

  request.body.data = a->data;
  request.body.size = a->n;
  a->status = a->client->transport->exchange (
      a->client->handle, &request, kit_emit, a, &a->traffic, &a->err);
  return NULL;
}

void
kit_ask (struct fixture *client, struct answer *a, const char *path,
         const char *data, size_t n)
{
  memset (a, 0, sizeof *a);
  a->client = client;
  a->path = path;
  a->data = data;
  a->n = n;
  kit_ask_main (a);
}

/* The same for one that must be answered, whose reply matters less. */
unsigned
kit_ask_code (struct fixture *client, const char *path)
{
  struct answer a;

  kit_ask (client, &a, path, "hello", 5);
  free (a.body);
  assert_int_equal (a.status, TALLY_OK);
  return a.code;
}

void *
kit_ask_many (void *ctx)
{
  struct answer *a = ctx;
  int i, good = 0;

  for (i = 0; i < KIT_EACH; i++) {
    a->path = i % 2 ? "/late" : "/echo";
    kit_ask_main (a);
    good += a->status == TALLY_OK && a->size == a->n
            && memcmp (a->body, a->data, a->n) == 0;
    free (a->body);
    a->body = NULL;
  }
  a->status = good;
  return NULL;
}
