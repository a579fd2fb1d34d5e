/* SPDX-License-Identifier: Apache-2.0 */
/* Training end to end through the public API: environment steps a second, acting, replay and updates included. The
 * first repetitions fill the replay and are not measured. epymarl: EPyMARL's settings, one update an episode. */
#include <stdio.h>

#include "bench.h"

enum { STEPS = 4000, FILL_STEPS = 8000 };

static marl_status run_training(void *work) {
    marl_progress progress = {.struct_size = sizeof progress};
    marl_status status = marl_trainer_progress(work, &progress);
    return status == MARL_OK ? marl_trainer_run(work, progress.steps + STEPS) : status;
}

static marl_status training_open(const bench *bench, const char *algo, const char *env, const char *preset,
                                 marl_trainer **out) {
    char component[128];
    marl_config *config = NULL;
    marl_status status;

    snprintf(component, sizeof component, "run/%s/%s", algo, env);
    status = marl_config_create(NULL, component, &config);
    if (status == MARL_OK) status = marl_config_preset(config, preset);
    if (status == MARL_OK) status = marl_config_set(config, "horizon", "100000000");
    if (status == MARL_OK) status = marl_config_set(config, "eval.every", "0");
    if (status == MARL_OK) status = marl_trainer_create(bench->device, config, NULL, out);
    if (status == MARL_OK) status = marl_trainer_run(*out, FILL_STEPS);
    marl_config_destroy(config);
    return status;
}

static void measure_training(bench *bench, const char *name, const char *algo, const char *env, const char *preset) {
    const bench_times *times = NULL;
    marl_trainer *trainer = NULL;

    if (training_open(bench, algo, env, preset, &trainer) == MARL_OK)
        times = bench_measure(bench, run_training, trainer);
    if (times) {
        bench_report_times(bench, name, "steps_per_s", times->wall, times->count, STEPS, 1);
        bench_report_times(bench, name, "steps_per_core_s", times->cpu, times->count, STEPS, 1);
    } else {
        bench_fail(bench, name);
    }
    marl_trainer_destroy(trainer);
}

void bench_train(bench *bench) {
    static const char foraging[] = "lbf:8x8-2p-2f-coop";
    static const struct { const char *algo, *env, *preset; } runs[] = {
        {"qmix", foraging, "epymarl"}, {"qmix", foraging, "quick"}, {"qmix", foraging, "tuned"},
        {"qplex", foraging, "tuned"}, {"hpn_qmix", "combat:3m", "tuned"}, {"hpn_qmix", "combat:5m_vs_6m", "tuned"},
        {"hpn_qmix", "combat:8m_vs_9m", "tuned"},
    };

    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        char name[96];
        snprintf(name, sizeof name, "train/%s/%s/%s", runs[i].algo, runs[i].env, runs[i].preset);
        if (bench_wants(bench, name, 0))
            measure_training(bench, name, runs[i].algo, runs[i].env, runs[i].preset);
    }
}
