/* SPDX-License-Identifier: Apache-2.0 */
/* See interrupt.h. */
#include "interrupt.h"

#include <signal.h>

static volatile sig_atomic_t has_come;

static void on_interrupt(int signal_number) {
    (void)signal_number;
    has_come = 1;
}

void interrupt_watch(void) {
    struct sigaction action = {.sa_handler = on_interrupt};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool interrupt_came(void) {
    return has_come != 0;
}
