/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries opened at run time. Symbols stay local, so that a BLAS opened here never serves the host's own calls; they
 * are bound at once, so that a library of another version fails here and not in the middle of a run. */
#include "core/base/dl.h"

#include <dlfcn.h>
#include <stddef.h>

#include "core/base/status.h"

marl_status marl__dl_open(const char *const *names, const char *what, const char *package, void **out) {
    const char *reason = NULL;

    *out = NULL;
    for (size_t index = 0; names[index]; ++index) {
        *out = dlopen(names[index], RTLD_NOW | RTLD_LOCAL);
        if (*out) return MARL_OK;
        reason = dlerror();
    }
    return marl__fail(MARL_E_UNSUPPORTED, "%s cannot be opened: install the Debian package %s (%s)", what, package,
                      reason ? reason : "no file name to try");
}

marl_status marl__dl_symbol(void *library, const char *symbol, const char *what, void **out) {
    *out = dlsym(library, symbol);
    if (*out) return MARL_OK;
    return marl__fail(MARL_E_UNSUPPORTED, "%s has no symbol %s: it is another version than the one wanted", what,
                      symbol);
}
