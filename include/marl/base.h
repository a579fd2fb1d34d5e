/* SPDX-License-Identifier: Apache-2.0 */
/** @file base.h
 * Status codes, the last error, the version.
 *
 * Every call that can fail returns a marl_status: 0 is success, errors are negative. The sentence that names the
 * offending key, file, shape or value is in marl_last_error(), one buffer a thread, valid until that thread's next
 * failing call. Results come through out-parameters, which stand last and are set to NULL or 0 on every failure.
 *
 *     marl_device *device;
 *     if (marl_device_open(NULL, "cpu", NULL, &device) != MARL_OK)
 *         fprintf(stderr, "%s\n", marl_last_error());
 */
#ifndef MARL_BASE_H
#define MARL_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Marks a public function: exported by libmarl.so, everything else is hidden. */
#if defined(__GNUC__)
#define MARL_API __attribute__((visibility("default")))
#else
#define MARL_API
#endif

/** Version of these headers: major (ABI, the SONAME), minor, patch. marl_version() gives the library's. */
#define MARL_VERSION_MAJOR 0
#define MARL_VERSION_MINOR 1 /**< see MARL_VERSION_MAJOR */
#define MARL_VERSION_PATCH 0 /**< see MARL_VERSION_MAJOR */

/** Result of a call: MARL_OK or one of the negative MARL_E_ codes. Numbers are never reused or renumbered. */
typedef int32_t marl_status;

/** The list behind the codes: X(NAME, number, "what it means"). Codes, texts and documentation come from it. */
#define MARL_STATUS_LIST(X)                                                                        \
    X(OK, 0, "success")                                                                            \
    X(E_ARGUMENT, -1, "an argument or a key's value is out of range")                              \
    X(E_NAME, -2, "no such name: algorithm, net, environment, key, device")                        \
    X(E_HANDLE, -3, "NULL, or a handle of another kind")                                           \
    X(E_NOMEM, -4, "no memory")                                                                    \
    X(E_SHAPE, -5, "a shape, type or count differs from what is expected")                         \
    X(E_NOT_FINITE, -6, "NaN or infinity")                                                         \
    X(E_IO, -7, "a file could not be read or written")                                             \
    X(E_FORMAT, -8, "a file or text is malformed")                                                 \
    X(E_VERSION, -9, "written by, or for, another version")                                        \
    X(E_MISMATCH, -10, "belongs to another environment, net or run")                               \
    X(E_UNSUPPORTED, -11, "not available on this device or in this build")                         \
    X(E_DEVICE, -12, "the device failed or cannot be opened")                                      \
    X(E_FORKED, -13, "the device belongs to the parent process")                                   \
    X(E_STATE, -14, "the call does not fit the state of the object")                               \
    X(E_ENV, -15, "an environment's own function failed")                                          \
    X(E_CALLBACK, -16, "a callback of the host failed")

/** The status codes, MARL_OK and MARL_E_...; see MARL_STATUS_LIST. */
enum marl_status_code {
#define MARL_STATUS_CODE(name, number, text) MARL_##name = number,
    MARL_STATUS_LIST(MARL_STATUS_CODE)
#undef MARL_STATUS_CODE
};

/** Version of the library as "major.minor.patch". Static memory. */
MARL_API const char *marl_version(void);

/** Version of the library as major * 10000 + minor * 100 + patch. */
MARL_API uint32_t marl_version_number(void);

/** The sentence of this thread's last failing call, "" if none failed yet. Never NULL; borrowed until this
 * thread's next failing call. */
MARL_API const char *marl_last_error(void);

/** Name of a status ("MARL_E_SHAPE"); "MARL_E_?" for a number that is no status. Static memory. */
MARL_API const char *marl_status_name(marl_status status);

/** One line on what a status means. Static memory. */
MARL_API const char *marl_status_text(marl_status status);

/** Number of statuses, MARL_OK included; with marl_status_at it lets a binding read the list without a C parser. */
MARL_API uint32_t marl_status_count(void);

/** The status at an index below marl_status_count(); MARL_E_ARGUMENT beyond. */
MARL_API marl_status marl_status_at(uint32_t index);

#ifdef __cplusplus
}
#endif
#endif
