/* SPDX-License-Identifier: Apache-2.0 */
/* Printing the declared keys of a config: what `list` and `train --help` show comes from the library's tables, so the
 * program never has to be told about a new key. */
#ifndef CLI_KEYS_H
#define CLI_KEYS_H

#include "terminal.h"

/* Prints the keys in aligned columns under titles: key, default, what it takes, help. */
void keys_print(const marl_config *config, const terminal *terminal);

/* Writes "keys":[...],"presets":[...] of a component, both empty if it has none. Returns whether it exists. */
bool keys_write_json(const char *component);

#endif
