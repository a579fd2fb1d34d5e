/* SPDX-License-Identifier: Apache-2.0 */
/** @file device.h
 * Where the numbers are computed, chosen by name at run time: "cpu" (own kernels, the same bits on every CPU with
 * AVX2 and FMA), "openblas" (the same with products through OpenBLAS, opened with dlopen).
 *
 *     marl_config *config;
 *     marl_config_create(NULL, "device", &config);
 *     marl_config_set(config, "threads", "2");
 *     marl_device *device;
 *     marl_status status = marl_device_open(NULL, "cpu", config, &device);
 */
#ifndef MARL_DEVICE_H
#define MARL_DEVICE_H

#include "marl/config.h"
#include "marl/host.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A place to compute: kernels, threads and the host's services. Different devices may be used from different
 * threads. Objects made on a device must be destroyed before it is closed. */
typedef struct marl_device marl_device;

/** Memory held through the host's allocator by a device and everything made on it. */
typedef struct marl_memory {
    uint32_t struct_size;      /**< sizeof(marl_memory) of the caller */
    uint32_t reserved;         /**< zero */
    uint64_t current_bytes;    /**< held now */
    uint64_t peak_bytes;       /**< most ever held */
    uint64_t allocation_count; /**< calls of alloc so far; does not move on the hot path */
} marl_memory;

/** Opens a device. host: copied, may be NULL. name: "cpu", "openblas". config: keys of "device" (threads, isa), NULL
 * for defaults. out: owned by the caller, closed with marl_device_close.
 * MARL_E_NAME for an unknown device, MARL_E_UNSUPPORTED if what it needs is missing (the message names the package),
 * MARL_E_ARGUMENT for a host struct that is not one, MARL_E_NOMEM. */
MARL_API marl_status marl_device_open(const marl_host *host, const char *name, const marl_config *config,
                                      marl_device **out);

/** Closes a device and ends its threads. NULL is fine. */
MARL_API void marl_device_close(marl_device *device);

/** Name the device was opened by; borrowed. "" if device is no device. */
MARL_API const char *marl_device_name(const marl_device *device);

/** Instruction set in use: "portable", "avx2" or "avx512". Static memory. */
MARL_API const char *marl_device_isa(const marl_device *device);

/** Number of threads that work on the device, the caller's included; 0 if device is no device. */
MARL_API uint32_t marl_device_threads(const marl_device *device);

/** Reads the memory statistics. out->struct_size must be set. */
MARL_API marl_status marl_device_memory(const marl_device *device, marl_memory *out);

/** Number of device kinds this build knows, usable or not. */
MARL_API uint32_t marl_device_kind_count(void);

/** Name of a device kind, NULL beyond the count. Static memory. */
MARL_API const char *marl_device_kind_name(uint32_t index);

/** Whether a device of that name could be opened now: MARL_OK, or the error that marl_device_open would give, with
 * its sentence in marl_last_error(). */
MARL_API marl_status marl_device_probe(const char *name);

#ifdef __cplusplus
}
#endif
#endif
