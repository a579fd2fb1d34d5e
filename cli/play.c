/* SPDX-License-Identifier: Apache-2.0 */
/* `marl play`: shows a trained team at work, or a recorded episode again, one picture a step. */
#include <stdio.h>
#include <stdlib.h>

#include "interrupt.h"
#include "recorder.h"
#include "screen.h"

static const option_spec flags[] = {
    {"episodes", "N", "episodes to show (default 3; 1 with --record)"},
    {"fps", "N", "pictures a second"},
    {"delay", "MS", "the same as milliseconds a picture (default 150 on a terminal, else 0)"},
    {"seed", "S", "of environment and random choices (default 1)"},
    {"epsilon", "E", "chance that an agent acts at random (default 0: greedy)"},
    {"env", "NAME", "play in another environment than the one trained in"},
    {"set", "env.KEY=VALUE", "change a parameter of the environment"},
    {"record", "FILE", "write one episode as a replay"},
    {"pick", "WHICH", "the episode that --record writes: best, worst or its number (default 1)"},
    {"replay", "FILE", "show a recorded episode instead, checking every reward"},
    {NULL, NULL, NULL},
};

static int play_episode(screen *screen, stage *stage, recorder *recorder, uint64_t seed, uint64_t episode) {
    screen_head head = {.episode = episode + 1, .step_limit = stage->spec->episode_limit};
    marl_actions actions = {.struct_size = sizeof actions, .discrete = stage->actions};
    marl_step step = {.struct_size = sizeof step};
    int status;

    if (stage_begin(stage, 0, seed, episode) != MARL_OK) return fail_library();
    recorder_begin(recorder, stage, 0, seed, episode);
    status = screen_show(screen, stage->envs[0], &head);
    head.actions = &actions;
    while (!status && !interrupt_came() && !step.terminated && !step.truncated) {
        if (stage_act(stage) != MARL_OK || stage_step(stage, 0, &step, &head.reward) != MARL_OK) return fail_library();
        recorder_step(recorder, stage, 0, &step);
        head.step++;
        head.total += head.reward;
        status = screen_show(screen, stage->envs[0], &head);
    }
    if (!status && (step.terminated || step.truncated)) {
        screen_result(screen, &head, step.outcome, step.truncated && !step.terminated);
    }
    return status;
}

static int play_team(const options *options) {
    uint64_t episodes = options_get(options, "record") ? 1 : 3, seed = 1;
    const char *path = options_positional(options, 0);
    double epsilon = 0.0;
    recorder *recorder;
    screen screen = {.lines = 0};
    stage stage;
    int status;

    if ((status = options_whole(options, "episodes", 1, &episodes))) return status;
    if ((status = options_whole(options, "seed", 0, &seed))) return status;
    if ((status = options_real(options, "epsilon", 0.0, 1.0, &epsilon))) return status;
    if (!(recorder = calloc(1, sizeof *recorder))) return fail("no memory to play");
    status = recorder_open(recorder, options, episodes);
    if (!status && !(status = stage_open(options, path, 1, seed, epsilon, &stage))) {
        status = screen_open(&screen, options, stage.spec);
        for (uint64_t e = 0; e < episodes && !status && !interrupt_came(); e++) {
            status = play_episode(&screen, &stage, recorder, seed, e);
        }
        screen_close(&screen);
        if (!status) status = recorder_write(recorder, &stage, path, epsilon, seed);
        if (!status && recorder->path) {
            printf("%s holds episode %llu.\n", recorder->path, (unsigned long long)recorder->kept.episode);
        }
        stage_close(&stage);
    }
    recorder_close(recorder);
    free(recorder);
    return status;
}

static int show_steps(screen *screen, const replay *replay, const char *path, marl_env *env, double *rewards) {
    size_t numbers = (size_t)replay->agents * replay->dims;
    screen_head head = {.episode = replay->episode, .step_limit = marl_env_get_spec(env)->episode_limit};
    marl_actions actions = {.struct_size = sizeof actions};
    marl_step step;
    int status = screen_show(screen, env, &head);

    head.actions = &actions;
    while (!status && !interrupt_came() && head.step < replay->steps) {
        if ((status = replay_step(replay, path, env, head.step, &step, rewards))) break;
        actions.discrete = replay->has_discrete ? replay->discrete + head.step * numbers : NULL;
        actions.continuous = replay->has_continuous ? replay->continuous + head.step * numbers : NULL;
        head.reward = replay_reward(replay, head.step++);
        head.total += head.reward;
        status = screen_show(screen, env, &head);
    }
    if (!status && head.step == replay->steps) {
        screen_result(screen, &head, replay->outcome, replay->is_truncated);
    }
    return status;
}

static int show_replay(const options *options, const char *path) {
    static const char *const others[] = {"episodes", "seed", "epsilon", "env", "set", "record", "pick", NULL};
    screen screen = {.lines = 0};
    marl_env *env = NULL;
    double *rewards = NULL;
    replay replay;
    int status;

    if (options_positional(options, 0)) return fail_usage(options->command, "--replay shows a file, not a team");
    for (const char *const *name = others; *name; name++) {
        if (!options_get(options, *name)) continue;
        return fail_usage(options->command, "--%s does not go with --replay: the file says what is played", *name);
    }
    if ((status = replay_read(path, &replay))) return status;
    status = replay_open_env(&replay, path, &env);
    if (!status && !(rewards = calloc(replay.agents, sizeof *rewards))) status = fail("no memory for a step");
    if (!status) status = screen_open(&screen, options, marl_env_get_spec(env));
    if (!status) {
        printf("%s on %s, epsilon %g; played by %s\n", replay.algo, replay.env, replay.epsilon, replay.policy);
        status = show_steps(&screen, &replay, path, env, rewards);
    }
    screen_close(&screen);
    free(rewards);
    marl_env_destroy(env);
    replay_free(&replay);
    return status;
}

static int play(const options *options) {
    const char *replay = options_get(options, "replay");
    int status;

    interrupt_watch();    /* the screen is put in order before the program ends */
    status = replay ? show_replay(options, replay) : play_team(options);
    return interrupt_came() ? EXIT_STOPPED : status;
}

const command play_command = {
    .name = "play",
    .arguments = "DIR|FILE|--replay FILE [FLAG...]",
    .summary = "watch a trained team play",
    .about = "DIR is a run's directory, FILE a policy. --record FILE keeps an episode as a replay: a small JSON file\n"
             "with seed and actions, from which marl play --replay FILE plays it again, move by move, and\n"
             "marl plot --replay FILE --out battle.gif draws it. Of several episodes --pick says which is kept.",
    .positional_max = 1,
    .flags = flags,
    .run = play,
};
