/* SPDX-License-Identifier: Apache-2.0 */
/* The learning curve of a run's directory, drawn with characters: training returns as a line, evaluations as marks. */
#ifndef CLI_CURVE_H
#define CLI_CURVE_H

#include "terminal.h"

/* Draws return over steps from DIR/metrics.jsonl on standard output. Draws nothing if the file is absent or holds fewer
 * than two points. */
void curve_draw(const char *dir, const terminal *terminal);

#endif
