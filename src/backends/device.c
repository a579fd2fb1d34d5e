/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: found by name, given memory and threads, and asked whether they still belong to this process. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "backends/backends.h"
#include "core/base/status.h"
#include "core/config/config.h"
#include "core/device.h"

static const marl__key keys[] = {
    MARL__KEY_INT("threads", "1", 1, 256, "threads that work on the device, the caller's included"),
    MARL__KEY_CHOICE("isa", "auto", "auto|portable|avx2|avx512", "instruction set of the CPU kernels"),
};

const marl__key_table marl__device_keys = MARL__KEY_TABLE(keys);

typedef marl_status open_fn(marl_device *device, const char *isa);

static const char *const kind_names[] = {
#define MARL_BACKEND(name) #name,
#include "backends/backends.def"
#undef MARL_BACKEND
};

static open_fn *const kind_opens[] = {
#define MARL_BACKEND(name) marl__open_##name,
#include "backends/backends.def"
#undef MARL_BACKEND
};

enum { KIND_COUNT = sizeof kind_names / sizeof kind_names[0] };

static marl_status find_kind(const char *name, open_fn **out) {
    if (!name) return marl__fail(MARL_E_ARGUMENT, "the device's name is NULL: try \"cpu\"");
    for (int i = 0; i < KIND_COUNT; i++)
        if (strcmp(name, kind_names[i]) == 0) {
            *out = kind_opens[i];
            return MARL_OK;
        }
    if (strncmp(name, "cuda", 4) == 0 && (name[4] == '\0' || name[4] == ':'))
        return marl__fail(MARL_E_UNSUPPORTED, "\"%s\": the CUDA backend is not part of this build", name);
    const char *nearest = marl__nearest_name(name, kind_names, KIND_COUNT);
    return marl__fail(MARL_E_NAME, "there is no device \"%s\"; %s \"%s\"%s", name,
                      nearest ? "did you mean" : "the usual one is", nearest ? nearest : "cpu", nearest ? "?" : "");
}

static marl_status read_config(const marl_config *config, uint32_t *threads, const char **isa) {
    marl_status status = MARL_OK;

    *threads = 1;
    *isa = "auto";
    if (!config) return MARL_OK;
    if ((status = marl__check_handle(config, MARL__TAG_CONFIG, "config")) != MARL_OK) return status;
    if (!marl__config_has(config, "threads") || !marl__config_has(config, "isa"))
        return marl__fail(MARL_E_ARGUMENT, "a device is opened with a config of \"device\", not of \"%s\"",
                          marl_config_component(config));
    *threads = (uint32_t)marl__config_int(config, "threads");
    *isa = marl__config_text(config, "isa");
    return MARL_OK;
}

/* The device is a block of its own heap, so that it counts itself. */
static marl_status new_device(const marl_host *host, const char *name, marl_device **out) {
    marl__heap heap;
    marl_status status = marl__heap_init(&heap, host);
    if (status != MARL_OK) return status;

    marl_device *device = marl__alloc_zero(&heap, sizeof *device);
    if (!device) return MARL_E_NOMEM;
    device->heap.host = heap.host;
    atomic_init(&device->heap.current_bytes, atomic_load(&heap.current_bytes));
    atomic_init(&device->heap.peak_bytes, atomic_load(&heap.peak_bytes));
    atomic_init(&device->heap.allocation_count, atomic_load(&heap.allocation_count));
    device->tag = MARL__TAG_DEVICE;
    device->process = (int32_t)getpid();
    snprintf(device->name, sizeof device->name, "%s", name);
    *out = device;
    return MARL_OK;
}

marl_status marl_device_open(const marl_host *host, const char *name, const marl_config *config, marl_device **out) {
    marl_status status = MARL_OK;
    marl_device *device = NULL;
    open_fn *open_kind = NULL;
    const char *isa = NULL;
    uint32_t threads = 0;

    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL: marl_device_open needs a place for the device");
    *out = NULL;
    if ((status = find_kind(name, &open_kind)) != MARL_OK) return status;
    if ((status = read_config(config, &threads, &isa)) != MARL_OK) return status;
    if ((status = new_device(host, name, &device)) != MARL_OK) return status;
    if ((status = open_kind(device, isa)) != MARL_OK) goto done;
    if ((status = marl__pool_create(&device->heap, threads, &device->pool)) != MARL_OK) goto done;
    *out = device;
    device = NULL;
done:
    marl_device_close(device);
    return status;
}

void marl_device_close(marl_device *device) {
    if (!marl__is_handle(device, MARL__TAG_DEVICE)) return;
    marl__pool_destroy(device->pool);
    /* In a forked child the backend's own state belongs to the parent. */
    if (device->close && device->process == (int32_t)getpid()) device->close(device->backend);
    device->tag = 0;
    /* The heap lies in the block it frees. */
    marl__heap heap;
    if (marl__heap_init(&heap, &device->heap.host) == MARL_OK) marl__free(&heap, device);
}

marl_status marl__device_check(const marl_device *device) {
    marl_status status = marl__check_handle(device, MARL__TAG_DEVICE, "device");
    if (status != MARL_OK) return status;
    if (device->process != (int32_t)getpid())
        return marl__fail(MARL_E_FORKED,
                          "device \"%s\" was opened by process %d and does not survive fork: open one here",
                          device->name, (int)device->process);
    return MARL_OK;
}

const char *marl_device_name(const marl_device *device) {
    return marl__is_handle(device, MARL__TAG_DEVICE) ? device->name : "";
}

const char *marl_device_isa(const marl_device *device) {
    return marl__is_handle(device, MARL__TAG_DEVICE) ? device->table.name : "";
}

uint32_t marl_device_threads(const marl_device *device) {
    return marl__is_handle(device, MARL__TAG_DEVICE) ? marl__pool_threads(device->pool) : 0;
}

marl_status marl_device_memory(const marl_device *device, marl_memory *out) {
    marl_status status = marl__device_check(device);
    if (status != MARL_OK) return status;
    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL: marl_device_memory needs a marl_memory to fill");
    if (out->struct_size < sizeof *out)
        return marl__fail(MARL_E_ARGUMENT, "marl_memory.struct_size is %u: set it to sizeof(marl_memory), %zu",
                          out->struct_size, sizeof *out);

    /* A caller with a newer header finds what we do not know as zero. */
    uint32_t struct_size = out->struct_size;
    memset(out, 0, struct_size);
    out->struct_size = struct_size;
    out->current_bytes = atomic_load_explicit(&device->heap.current_bytes, memory_order_relaxed);
    out->peak_bytes = atomic_load_explicit(&device->heap.peak_bytes, memory_order_relaxed);
    out->allocation_count = atomic_load_explicit(&device->heap.allocation_count, memory_order_relaxed);
    return MARL_OK;
}

uint32_t marl_device_kind_count(void) {
    return KIND_COUNT;
}

const char *marl_device_kind_name(uint32_t index) {
    return index < KIND_COUNT ? kind_names[index] : NULL;
}

marl_status marl_device_probe(const char *name) {
    marl_device *device = NULL;
    marl_status status = marl_device_open(NULL, name, NULL, &device);

    marl_device_close(device);
    return status;
}
