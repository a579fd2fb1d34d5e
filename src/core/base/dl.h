/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries opened at run time. */
#ifndef MARL__CORE_BASE_DL_H
#define MARL__CORE_BASE_DL_H

#include "marl/base.h"

/* Tries the NULL-terminated list of sonames in turn; MARL_E_UNSUPPORTED names `what` and the Debian package. */
marl_status marl__dl_open(const char *const *names, const char *what, const char *package, void **out);
marl_status marl__dl_symbol(void *library, const char *symbol, const char *what, void **out);

#endif
