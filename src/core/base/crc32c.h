/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C (Castagnoli, as in iSCSI and ext4): detects every error burst of up to 32 bits. Guards files against damage,
 * not against an adversary. */
#ifndef MARL__CORE_BASE_CRC32C_H
#define MARL__CORE_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` covers followed by these bytes; start with 0. By the CPU's instruction where it has it. */
uint32_t marl__crc32c(uint32_t crc, const void *data, size_t bytes);

/* The same by tables, on any CPU. */
uint32_t marl__crc32c_portable(uint32_t crc, const void *data, size_t bytes);

#endif
