/* SPDX-License-Identifier: MIT */
/* The http driver over TLS, with a certificate that openssl makes here. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transport-kit.h"

static void
expect_tls (struct fixture *server, const char *cert)
{
  struct fixture client;
  struct answer a;

  kit_prepare (&client);
  kit_open_client (&client, server->url);
  kit_ask (&client, &a, "/echo", "hello", 5);
  assert_int_equal (a.status, TALLY_DENIED);
  assert_non_null (strstr (a.err.text, ": certificate is not trusted"));
  kit_close (&client);

  kit_prepare (&client);
  kit_set_text (&client, "ca_file", cert);
  kit_open_client (&client, server->url);
  assert_int_equal (kit_ask_code (&client, "/echo"), 200);
  assert_int_equal (kit_ask_code (&client, "/late"), 202);
  kit_close (&client);
}

static void
test_tls (void **state)
{
  char folder[] = "/tmp/test-transport-http-XXXXXX";
  char cert[64], key[64], command[512];
  struct fixture server;
  bool made;

  (void) state;
  assert_non_null (mkdtemp (folder));
  snprintf (cert, sizeof cert, "%s/cert.pem", folder);
  snprintf (key, sizeof key, "%s/key.pem", folder);
  snprintf (command, sizeof command,
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 "
            "-nodes -keyout %s -out %s -days 2 -subj /CN=localhost "
            "-addext subjectAltName=IP:127.0.0.1 2>/dev/null",
            key, cert);
  made = system (command) == 0;
  if (made) {
    kit_prepare (&server);
    kit_set_text (&server, "tls_cert", cert);
    kit_set_text (&server, "tls_key", key);
    kit_open_server (&server);
    assert_int_equal (strncmp (server.url, "https://127.0.0.1:", 18), 0);
    expect_tls (&server, cert);
    kit_close_server (&server);
  }
  unlink (cert);
  unlink (key);
  rmdir (folder);
  if (!made)
    skip ();
}

static void
test_tls_bad_files (void **state)
{
  char folder[] = "/tmp/test-transport-http-XXXXXX";
  struct fixture server;
  char path[64];
  FILE *file;

  (void) state;
  assert_non_null (mkdtemp (folder));
  snprintf (path, sizeof path, "%s/junk.pem", folder);
  file = fopen (path, "w");
  assert_non_null (file);
  fputs ("junk\n", file);
  fclose (file);

  kit_prepare (&server);
  kit_set_text (&server, "listen", "127.0.0.1:0");
  kit_set_text (&server, "tls_cert", path);
  kit_set_text (&server, "tls_key", path);
  assert_int_equal (kit_open (&server), TALLY_OK);
  assert_int_equal (
      server.transport->serve (server.handle, &server.service, &server.err),
      TALLY_FAILED);
  assert_non_null (strstr (server.err.text, "does not start"));
  assert_false (server.ready);
  kit_close (&server);
  unlink (path);
  rmdir (folder);
}

static void
test_tls_without_files (void **state)
{
  struct fixture server;

  (void) state;
  kit_prepare (&server);
  kit_set_text (&server, "listen", "127.0.0.1:0");
  kit_set_text (&server, "tls_cert", "/nowhere/cert.pem");
  kit_set_text (&server, "tls_key", "/nowhere/key.pem");
  assert_int_equal (kit_open (&server), TALLY_OK);
  assert_int_equal (
      server.transport->serve (server.handle, &server.service, &server.err),
      TALLY_NOTFOUND);
  assert_string_equal (server.err.text, "/nowhere/cert.pem: not found");
  kit_close (&server);
}

int
main (void)
{
  static const struct CMUnitTest tests[] = {
    cmocka_unit_test (test_tls),
    cmocka_unit_test (test_tls_bad_files),
    cmocka_unit_test (test_tls_without_files),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
