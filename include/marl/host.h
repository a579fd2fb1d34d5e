/* SPDX-License-Identifier: Apache-2.0 */
/** @file host.h
 * What an embedding program lends the library: memory, a log, its job system.
 *
 * A marl_host is passed first to every create, open and load that has no device. NULL means libc's allocator, no
 * log and the library's own threads. It is copied; `user` must outlive every object made with it.
 *
 *     marl_host host;
 *     marl_host_init(&host, sizeof host);
 *     host.log = my_log;
 *     marl_device_open(&host, "cpu", NULL, &device);
 */
#ifndef MARL_HOST_H
#define MARL_HOST_H

#include "marl/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Log levels of marl_host.log. */
enum marl_log_level { MARL_LOG_ERROR = 0, MARL_LOG_WARNING = 1, MARL_LOG_INFO = 2, MARL_LOG_DEBUG = 3 };

/** One job of a parallel-for: called once with each index; ctx is the library's. */
typedef void (*marl_task)(int32_t index, void *ctx);

/** The host's services. Fill with marl_host_init, then set what you want to replace; NULL members take the default.
 * `alloc` and `free` come together or not at all. */
typedef struct marl_host {
    uint32_t struct_size; /**< sizeof(marl_host) of the caller, set by marl_host_init */
    uint32_t reserved;    /**< zero */
    /** Returns `bytes` (> 0) of memory aligned to `alignment` (a power of two, at most 4096), or NULL. Called from
     * any thread that calls the library. */
    void *(*alloc)(size_t bytes, size_t alignment, void *user);
    /** Frees a block of `alloc`; `bytes` is what was asked for. Never called with NULL. */
    void (*free)(void *block, size_t bytes, void *user);
    /** Receives one line without newline. Must not call the library. */
    void (*log)(int32_t level, const char *message, void *user);
    /** Runs task(0..count-1, ctx), in any order, on any threads, together or one after the other, and returns when
     * all have returned. Results never depend on how it does so. */
    void (*parallel_for)(int32_t count, marl_task task, void *ctx, void *user);
    void *user; /**< handed to every callback, last */
} marl_host;

/** Sets every member to its default. struct_size is the caller's sizeof(marl_host). NULL is ignored. */
MARL_API void marl_host_init(marl_host *host, uint32_t struct_size);

#ifdef __cplusplus
}
#endif
#endif
