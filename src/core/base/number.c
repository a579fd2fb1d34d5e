/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers from and to text, whatever the locale.
 *
 * strtod and snprintf follow the process's locale, which is the host's. strtod is handed the digits without a point and
 * the exponent that makes up for it; what snprintf wrote is searched for whatever stands for the point. */
#include "core/base/number.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A double is decided by its first 768 significant digits and whether anything follows (the longest exact tie). */
#define DIGITS_KEPT 800

typedef struct decimal {
    char digits[DIGITS_KEPT + 32]; /* sign, significant digits, then room for the exponent */
    size_t count;
    int64_t exponent;
    int any; /* a digit was seen, be it a leading zero */
} decimal;

/* Digits beyond those kept only say whether the rest is zero: the last one kept becomes 1 if it is not. */
static void take_digit(decimal *number, char digit, int after_point, size_t first) {
    number->any = 1;
    if (number->count == first && digit == '0') {
        number->exponent -= after_point;
    } else if (number->count - first < DIGITS_KEPT) {
        number->digits[number->count++] = digit;
        number->exponent -= after_point;
    } else {
        if (digit != '0') number->digits[number->count - 1] = '1';
        number->exponent += !after_point;
    }
}

/* [+-] digits [. digits] [e [+-] digits], at least one digit before e. Gives the first byte not taken, NULL if there is
 * no number. */
static const char *take_decimal(const char *text, decimal *number) {
    size_t first = 1;
    int after_point = 0;

    number->count = 1;
    number->exponent = 0;
    number->any = 0;
    number->digits[0] = *text == '-' ? '-' : '+';
    if (*text == '-' || *text == '+') ++text;
    for (; marl__is_digit(*text) || (*text == '.' && !after_point); ++text) {
        if (*text == '.') after_point = 1;
        else take_digit(number, *text, after_point, first);
    }
    if (!number->any) return NULL;
    if (*text == 'e' || *text == 'E') {
        int64_t written = 0;
        int negative = text[1] == '-';
        text += text[1] == '-' || text[1] == '+' ? 2 : 1;
        if (!marl__is_digit(*text)) return NULL;
        for (; marl__is_digit(*text); ++text)
            if (written < INT64_C(1000000000)) written = written * 10 + (*text - '0');
        number->exponent += negative ? -written : written;
    }
    return text;
}

int marl__read_real(const char *text, double *out) {
    decimal number;
    const char *end = take_decimal(text, &number);
    int64_t exponent;
    double value;

    *out = 0;
    if (!end || *end != '\0') return 0;
    if (number.count == 1) number.digits[number.count++] = '0';
    /* Far outside of what a double holds, but short enough to print. */
    exponent = number.exponent < -99999 ? -99999 : number.exponent > 99999 ? 99999 : number.exponent;
    snprintf(number.digits + number.count, sizeof number.digits - number.count, "e%d", (int)exponent);
    value = strtod(number.digits, NULL);
    if (!isfinite(value)) return 0;
    *out = value;
    return 1;
}

int marl__read_int(const char *text, int64_t *out) {
    int negative = *text == '-';
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t value = 0;

    *out = 0;
    if (*text == '-' || *text == '+') ++text;
    if (!marl__is_digit(*text)) return 0;
    for (; marl__is_digit(*text); ++text) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (value > (limit - digit) / 10) return 0;
        value = value * 10 + digit;
    }
    if (*text != '\0') return 0;
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return 1;
}

/* Whatever stands between the digits of a number printed by libc and is not part of it in the C locale, is its point;
 * it may take several bytes. */
static void plain_point(const char *from, char *to) {
    int is_replaced = 0;

    for (; *from; ++from) {
        if (marl__is_digit(*from) || *from == '-' || *from == '+' || *from == 'e') *to++ = *from;
        else if (!is_replaced) is_replaced = 1, *to++ = '.';
    }
    *to = '\0';
}

/* Every decimal of at most 15 digits survives being read and printed again, so %.15g finds it if there is one, and
 * drops its trailing zeros; below DBL_MIN doubles have fewer digits. */
void marl__write_real(double value, char buffer[32]) {
    char printed[64];
    double back = 0;

    if (!isfinite(value)) {
        snprintf(buffer, 32, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return;
    }
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15; digits <= 17; ++digits) {
        snprintf(printed, sizeof printed, "%.*g", digits, value);
        plain_point(printed, buffer);
        if (marl__read_real(buffer, &back) && back == value) return;
    }
}
