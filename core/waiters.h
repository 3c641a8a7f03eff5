/* SPDX-License-Identifier: MIT */
/* Clients of a server that wait for a change.  Their requests are kept, with
 * the reply that is owed, and one thread looks for all of them: a waiting
 * client costs no thread of the transport. */

#ifndef TALLY_WAITERS_H
#define TALLY_WAITERS_H

#include "answer.h"

typedef void waiters_reply_fn (void *call,
                               const struct tally_response *response);

struct waiters;

/* The answer lives as long. */
int waiters_new (struct waiters **out, const struct answer *answer,
                 struct tally_error *err);

/* Answers a frame: at once, or when there is something to tell.  Any
 * thread. */
void waiters_answer (struct waiters *waiters, const char *account,
                     const struct tally_request *request,
                     waiters_reply_fn *reply, void *call);

/* Answers all who wait; from now on nobody does. */
void waiters_stop (struct waiters *waiters);
void waiters_free (struct waiters *waiters);

#endif /* TALLY_WAITERS_H */
