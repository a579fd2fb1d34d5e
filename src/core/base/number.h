/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers from and to text without the locale: for JSON and for whatever else reads keys and names. */
#ifndef MARL__CORE_BASE_NUMBER_H
#define MARL__CORE_BASE_NUMBER_H

#include <stdint.h>

static inline int marl__is_digit(char letter) {
    return letter >= '0' && letter <= '9';
}

/* Locale-free number <-> text. Reading takes the whole text or fails (returns 0). Writing gives the shortest decimal
 * that reads back equal; NaN and infinities are written as null by JSON's writer. buffer: at least 32 bytes. */
int marl__read_real(const char *text, double *out);
int marl__read_int(const char *text, int64_t *out);
void marl__write_real(double value, char buffer[32]);

#endif
