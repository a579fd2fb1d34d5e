/* SPDX-License-Identifier: Apache-2.0 */
/* A recorded episode as a moving picture: marl plot --replay FILE. */
#ifndef CLI_FILM_H
#define CLI_FILM_H

#include "options.h"

/* Reads --replay, --out, --scale, --fps and --no-caption; draws and writes. An exit status. */
int film_replay(const options *options);

#endif
