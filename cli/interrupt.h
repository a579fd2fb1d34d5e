/* SPDX-License-Identifier: Apache-2.0 */
/* Ctrl-C and SIGTERM for commands that have something to put in order before they end: a terminal without its cursor, a
 * file half written. They ask from time to time and end by themselves, with EXIT_STOPPED. */
#ifndef CLI_INTERRUPT_H
#define CLI_INTERRUPT_H

#include <stdbool.h>

/* From now on these signals are noted instead of ending the program; calls that wait are cut short by them. */
void interrupt_watch(void);

/* Whether one has come. */
bool interrupt_came(void);

#endif
