/* SPDX-License-Identifier: Apache-2.0 */
/* See recorder.h. Which episode is the best is known when all are over, so each team's is written down as it is played;
 * playing the best one again would not do, since an agent that acts at random would act otherwise. */
#include "recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int recorder_open(recorder *recorder, const options *options, uint64_t episodes) {
    const char *pick = options_get(options, "pick");
    uint64_t number = 1;
    int status = 0;

    memset(recorder, 0, sizeof *recorder);
    recorder->path = options_get(options, "record");
    if (pick && !recorder->path) return fail_usage(options->command, "--pick chooses what --record FILE writes");
    if (pick && strcmp(pick, "best") == 0) recorder->pick = 1;
    else if (pick && strcmp(pick, "worst") == 0) recorder->pick = -1;
    else if ((status = options_whole(options, "pick", 1, &number))) {
        return status;
    }
    if (number > episodes) {
        return fail_usage(options->command, "--pick %llu: only %llu episodes are played",
                          (unsigned long long)number, (unsigned long long)episodes);
    }
    recorder->number = number - 1;
    return 0;
}

void recorder_begin(recorder *recorder, const stage *stage, uint32_t team, uint64_t seed, uint64_t episode) {
    replay *replay = &recorder->live[team];

    if (!recorder->path || recorder->status) return;
    recorder->status = replay_begin(replay, stage->spec, stage->settings, stage_seed(seed, episode));
    replay->episode = episode + 1;
}

/* Of equal returns the earlier episode, so that the choice does not hang on which one was over first. */
static bool is_wanted(const recorder *recorder, const replay *replay) {
    const struct replay *kept = &recorder->kept;

    if (recorder->pick == 0) return replay->episode == recorder->number + 1;
    if (!recorder->has_kept) return true;
    if (replay->total != kept->total) return (replay->total > kept->total) == (recorder->pick > 0);
    return replay->episode < kept->episode;
}

void recorder_step(recorder *recorder, const stage *stage, uint32_t team, const marl_step *step) {
    replay *replay = &recorder->live[team], swapped;
    marl_actions actions = {.struct_size = sizeof actions,
                            .discrete = stage->actions + (size_t)team * stage->agents};

    if (!recorder->path || recorder->status) return;
    if ((recorder->status = replay_add(replay, &actions, stage->rewards))) return;
    if (!step->terminated && !step->truncated) return;
    replay_end(replay, step);
    if (!is_wanted(recorder, replay)) return;
    swapped = recorder->kept;
    recorder->kept = *replay;
    *replay = swapped;
    recorder->has_kept = true;
}

int recorder_write(recorder *recorder, const stage *stage, const char *policy, double epsilon, uint64_t seed) {
    replay *kept = &recorder->kept;
    int status = recorder->status;

    if (!recorder->path || status) return status;
    if (!recorder->has_kept) {
        return fail("the episode to record was not played to its end; %s is not written", recorder->path);
    }
    snprintf(kept->policy, sizeof kept->policy, "%s", policy);
    snprintf(kept->algo, sizeof kept->algo, "%s", marl_policy_algo(stage->policy));
    kept->epsilon = epsilon;
    kept->play_seed = seed;
    return replay_write(kept, recorder->path);
}

void recorder_close(recorder *recorder) {
    for (uint32_t team = 0; team < TEAMS_MAX; team++) replay_free(&recorder->live[team]);
    replay_free(&recorder->kept);
    memset(recorder, 0, sizeof *recorder);
}
