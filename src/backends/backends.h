/* SPDX-License-Identifier: Apache-2.0 */
/* What a kind of device must bring: one function, named in backends.def. src/backends/device.c does the rest (name,
 * memory, threads). */
#ifndef MARL__BACKENDS_BACKENDS_H
#define MARL__BACKENDS_BACKENDS_H

#include "core/base/keys.h"
#include "core/device.h"

/* Keys of the component "device". */
extern const marl__key_table marl__device_keys;

/* Fills device->table and, if something must be undone at close, device->close and device->backend. The heap is ready,
 * the pool is not. isa: "auto" or one of the choices of the key "isa". */
#define MARL_BACKEND(name) marl_status marl__open_##name(marl_device *device, const char *isa);
#include "backends/backends.def"
#undef MARL_BACKEND

#endif
