/* SPDX-License-Identifier: Apache-2.0 */
/* Statuses and the thread's error sentence: a fixed thread-local buffer, so that reporting "no memory" allocates
 * nothing. The sentence is written once, where the fault is known; upper layers pass the status on unchanged. */
#ifndef MARL__CORE_BASE_STATUS_H
#define MARL__CORE_BASE_STATUS_H

#include "marl/base.h"

/* Writes the sentence (without trailing newline, without the function's name) and returns status. */
marl_status marl__fail(marl_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* MARL_E_NOMEM with "no memory for N bytes". */
marl_status marl__no_memory(size_t bytes);

/* Puts text in front of the present sentence ("env 3, step 17: "): for callers that know where. Returns status. */
marl_status marl__fail_prefix(marl_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Internal invariants; checked in debug and sanitizer builds only (MARL_DEBUG), never on input. */
#ifdef MARL_DEBUG
#define MARL_ASSERT(condition) ((condition) ? (void)0 : __builtin_trap())
#else
#define MARL_ASSERT(condition) ((void)sizeof(condition))
#endif

/* Kind tags: first member of every handle, so that a wrong one is MARL_E_HANDLE, not a crash. Cleared at destroy. */
enum marl__tag {
    MARL__TAG_DEVICE = 0x4d440001, MARL__TAG_CONFIG, MARL__TAG_ENV, MARL__TAG_POLICY, MARL__TAG_POLICY_STATE,
    MARL__TAG_TRAINER, MARL__TAG_NET
};

/* Whether handle is a live object of that tag. NULL is not. */
int marl__is_handle(const void *handle, uint32_t tag);

/* MARL_OK, or MARL_E_HANDLE "expected a device handle, got NULL" / "... a handle of another kind". */
marl_status marl__check_handle(const void *handle, uint32_t tag, const char *what);

/* Checks a caller-filled struct's struct_size against the least size of the first release (least) and ours (size):
 * smaller than least is MARL_E_ARGUMENT; larger than ours is fine if the surplus bytes are zero, else MARL_E_VERSION.
 * Copies what both sides know to `out` (size bytes, zeroed first; its struct_size becomes size). */
marl_status marl__take_struct(void *out, size_t size, const void *in, size_t least, const char *what);

#endif
