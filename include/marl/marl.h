/* SPDX-License-Identifier: Apache-2.0 */
/** @file marl.h
 * Everything public of libmarl: cooperative multi-agent reinforcement learning behind a stable C ABI.
 */
#ifndef MARL_H
#define MARL_H

#include "marl/base.h"
#include "marl/config.h"
#include "marl/device.h"
#include "marl/env.h"
#include "marl/host.h"
#include "marl/net.h"
#include "marl/policy.h"
#include "marl/trainer.h"

#endif
