/* SPDX-License-Identifier: Apache-2.0 */
/* Trains a team by handing over the loop, and saves it.
 *
 *     cc 01_train.c $(pkg-config --cflags --libs marl) -o 01_train
 *     ./01_train team.safetensors 250000
 *     ./00_play team.safetensors
 *
 * The settings are those of "run/qmix/<environment>" with the preset "quick"; every key that `marl list --json` names
 * can be set the same way. */
#include <marl/marl.h>
#include <stdio.h>
#include <stdlib.h>

static void check(marl_status status) {
    if (status == MARL_OK) return;
    fprintf(stderr, "%s: %s\n", marl_status_name(status), marl_last_error());
    exit(1);
}

/* Called on this thread now and then; a status other than MARL_OK would end the run. */
static marl_status show(const marl_progress *progress, void *user) {
    (void)user;
    printf("%8llu steps  %6llu episodes  epsilon %.2f  return %.3f\n", (unsigned long long)progress->steps,
           (unsigned long long)progress->episodes, progress->epsilon, progress->return_mean);
    return MARL_OK;
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "team.safetensors";
    uint64_t steps = argc > 2 ? strtoull(argv[2], NULL, 10) : 250000;

    marl_device *device;
    marl_config *config;
    marl_trainer *trainer;
    check(marl_device_open(NULL, "cpu", NULL, &device));
    check(marl_config_create(NULL, "run/qmix/lbf:5x5-2p-1f-coop", &config));
    check(marl_config_preset(config, "quick"));
    check(marl_config_set(config, "seed", "1"));
    check(marl_trainer_create(device, config, NULL, &trainer));
    check(marl_trainer_on_progress(trainer, show, NULL));
    check(marl_trainer_run(trainer, steps));

    enum { EPISODES = 50 };
    double returns[EPISODES], mean = 0;
    check(marl_trainer_evaluate(trainer, EPISODES, 1000, 0.05, returns));
    for (int i = 0; i < EPISODES; i++) mean += returns[i] / EPISODES;
    printf("mean return of %d episodes: %.3f\n", EPISODES, mean);

    marl_sink sink;
    marl_sink_init(&sink, sizeof sink);
    sink.path = path;
    check(marl_trainer_save_policy(trainer, &sink));
    printf("saved as %s\n", path);

    marl_trainer_destroy(trainer);
    marl_config_destroy(config);
    marl_device_close(device);
    return 0;
}
