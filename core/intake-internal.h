/* SPDX-License-Identifier: MIT */
/* What the files of intake share. */

#ifndef TALLY_INTAKE_INTERNAL_H
#define TALLY_INTAKE_INTERNAL_H

#include "graves.h"
#include "intake.h"

/* intake-batch.c: writes the batch, whose ids differ. */
int intake_batch (struct intake *intake, struct tally_error *err);

#endif /* TALLY_INTAKE_INTERNAL_H */
