/* SPDX-License-Identifier: Apache-2.0 */
/* A device as core sees it: memory, threads and tables; opened by src/backends/device.c. */
#ifndef MARL__CORE_DEVICE_H
#define MARL__CORE_DEVICE_H

#include "core/base/alloc.h"
#include "core/base/pool.h"
#include "core/graph/kernel.h"
#include "marl/device.h"

struct marl_device {
    uint32_t tag;
    int32_t process;               /* pid of the opener */
    marl__heap heap;
    marl__pool *pool;
    char name[32];
    marl__backend_table table;     /* kernels by op id, products, flat passes */
    void (*close)(void *backend);  /* NULL, or what the backend does at close */
    void *backend;
};

/* MARL_E_HANDLE, MARL_E_FORKED or MARL_OK. */
marl_status marl__device_check(const marl_device *device);

#endif
