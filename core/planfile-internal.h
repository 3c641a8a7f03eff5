/* SPDX-License-Identifier: MIT */
/* The words of a plan, for who reads and who writes one. */

#ifndef TALLY_PLANFILE_INTERNAL_H
#define TALLY_PLANFILE_INTERNAL_H

#include "planfile.h"
#include "slice.h"

const char *planfile_direction (int direction);
const char *planfile_step (enum plan_step step);

/* The first line of a plan. */
bool planfile_is_head (struct tally_slice line);

#endif /* TALLY_PLANFILE_INTERNAL_H */
