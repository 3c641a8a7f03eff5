/* SPDX-License-Identifier: MIT */
/* Where a frame begins and ends. */

#include <config.h>

#include <string.h>

#include <sodium.h>

#include "cbor.h"
#include "error.h"
#include "wire.h"

void
wire_start (struct buf *out, const unsigned char sender[REPLICA_ID_SIZE])
{
  cbor_add_uint (out, WIRE_VERSION);
  cbor_add_bytes (out, slice_make (sender, REPLICA_ID_SIZE));
}

int
wire_open (struct tally_slice *rest, unsigned char sender[REPLICA_ID_SIZE],
           struct tally_slice frame, struct tally_error *err)
{
  struct tally_slice id;
  uint64_t version;

  *rest = frame;
  if (!cbor_take_uint (rest, &version))
    return error_set (err, TALLY_INVALID, "not a tally message");
  if (version != WIRE_VERSION)
    return error_set (err, TALLY_UNSUPPORTED,
                      "speaks version %llu of the "
                      "protocol, this side %d",
                      (unsigned long long) version, WIRE_VERSION);
  if (!cbor_take_bytes (rest, &id) || id.size != REPLICA_ID_SIZE)
    return error_set (err, TALLY_INVALID, "not a tally message");
  memcpy (sender, id.data, REPLICA_ID_SIZE);
  return TALLY_OK;
}

/* Against accidents only, as anybody can make one.  So it is Poly1305 with a
 * key that is no secret, which takes a third of the time of BLAKE2b and misses
 * one accident in 2^100. */
static void
make_seal (unsigned char seal[WIRE_SEAL_SIZE], const char *data, size_t size)
{
  static const unsigned char key[crypto_onetimeauth_poly1305_KEYBYTES] =
      "what left tally as it is came so";

  crypto_onetimeauth_poly1305 (seal, (const unsigned char *) data, size, key);
}

void
wire_seal (struct buf *out)
{
  unsigned char seal[WIRE_SEAL_SIZE];

  if (out->failed)
    return;
  make_seal (seal, out->data, out->size);
  cbor_add_bytes (out, slice_make (seal, sizeof seal));
}

int
wire_unseal (struct tally_slice *rest, struct tally_slice frame,
             struct tally_error *err)
{
  /* The head of a byte string that is shorter than 24 is one byte. */
  const size_t tail = 1 + WIRE_SEAL_SIZE;
  unsigned char seal[WIRE_SEAL_SIZE];
  struct tally_slice end, given;

  if (rest->size >= tail) {
    end = slice_make (rest->data + rest->size - tail, tail);
    make_seal (seal, frame.data, frame.size - tail);
    if (cbor_take_bytes (&end, &given) && given.size == sizeof seal
        && memcmp (given.data, seal, sizeof seal) == 0) {
      rest->size -= tail;
      return TALLY_OK;
    }
  }
  return error_set (err, TALLY_AGAIN, "a message was damaged on its way");
}
