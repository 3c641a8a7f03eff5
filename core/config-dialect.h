/* SPDX-License-Identifier: MIT */
/* What the key `dialect` of a [transport] may say.  That a driver goes by the
 * same word does not matter to anybody. */

#ifndef TALLY_CONFIG_DIALECT_H
#define TALLY_CONFIG_DIALECT_H

#define CONFIG_DIALECT_NATIVE "native"
#define CONFIG_DIALECT_LINVO "linvo"

#endif /* TALLY_CONFIG_DIALECT_H */
