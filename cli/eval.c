/* SPDX-License-Identifier: Apache-2.0 */
/* `marl eval`: plays episodes with a saved team and reports the mean return with a 95 % interval.
 *
 * Up to sixteen teams play side by side. Episode e starts from a seed made of --seed and e alone and is counted
 * whenever it ends, so every episode is played to its end and short ones are not favoured. The interval is the
 * percentile bootstrap of the mean: returns of cooperative games are rarely normal (often all or nothing). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "json.h"
#include "play_env.h"
#include "terminal.h"

enum { BOOTSTRAP_SAMPLES = 2000, EPISODES_MAX = 1000000 };

static const option_spec flags[] = {
    {"env", "NAME", "play in another environment than the one trained in"},
    {"set", "env.KEY=VALUE", "change a parameter of the environment"},
    {"episodes", "N", "episodes to play (default 100)"},
    {"seed", "S", "of environments and random choices (default 1)"},
    {"epsilon", "E", "chance that an agent acts at random (default 0: greedy)"},
    {"threads", "N", "threads; never changes the result"},
    {"min-return", "R", "exit status 1 if the mean return is below R"},
    {"json", NULL, "print one JSON object"},
    {NULL, NULL, NULL},
};

typedef struct evaluation {
    uint64_t episodes, seed;
    double epsilon;
    double *returns;    /* (episodes) */
    double length_mean;
    uint64_t won, with_outcome;
    double mean, std, low, high;
} evaluation;

/* An episode that has ended: its outcome, and the next one for the team. */
static marl_status next_episode(stage *stage, uint32_t team, const marl_step *step, evaluation *result,
                                uint64_t *begun, uint64_t playing[TEAMS_MAX]) {
    result->with_outcome += step->outcome != MARL_OUTCOME_NONE;
    result->won += step->outcome == MARL_OUTCOME_WON;
    playing[team] = *begun;
    if (*begun >= result->episodes) {
        stage_rest(stage, team);
        return MARL_OK;
    }
    return stage_begin(stage, team, result->seed, (*begun)++);
}

static marl_status play_episodes(stage *stage, evaluation *result) {
    uint64_t playing[TEAMS_MAX], begun = 0, ended = 0, steps = 0;
    marl_status status = MARL_OK;

    for (uint32_t team = 0; team < stage->teams && status == MARL_OK; team++) {
        playing[team] = begun;
        status = stage_begin(stage, team, result->seed, begun++);
    }
    while (status == MARL_OK && ended < result->episodes) {
        status = stage_act(stage);
        for (uint32_t team = 0; team < stage->teams && status == MARL_OK; team++) {
            marl_step step;
            double reward;

            if (playing[team] >= result->episodes) continue;
            if ((status = stage_step(stage, team, &step, &reward)) != MARL_OK) break;
            steps++;
            result->returns[playing[team]] += reward;
            if (!step.terminated && !step.truncated) continue;
            ended++;
            status = next_episode(stage, team, &step, result, &begun, playing);
        }
    }
    result->length_mean = ended > 0 ? (double)steps / (double)ended : 0.0;
    return status;
}

static uint64_t draw(uint64_t *state) {
    uint64_t x = *state += 0x9E3779B97F4A7C15u;

    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void bootstrap(evaluation *result) {
    static double means[BOOTSTRAP_SAMPLES];
    uint64_t state = result->seed;

    for (int i = 0; i < BOOTSTRAP_SAMPLES; i++) {
        means[i] = 0.0;
        for (uint64_t k = 0; k < result->episodes; k++) means[i] += result->returns[draw(&state) % result->episodes];
        means[i] /= (double)result->episodes;
    }
    qsort(means, BOOTSTRAP_SAMPLES, sizeof means[0], compare);
    result->low = means[(int)(0.025 * BOOTSTRAP_SAMPLES)];
    result->high = means[(int)(0.975 * BOOTSTRAP_SAMPLES) - 1];
}

static void summarise(evaluation *result) {
    double squares = 0.0;

    for (uint64_t i = 0; i < result->episodes; i++) result->mean += result->returns[i];
    result->mean /= (double)result->episodes;
    for (uint64_t i = 0; i < result->episodes; i++) squares += pow(result->returns[i] - result->mean, 2.0);
    result->std = result->episodes > 1 ? sqrt(squares / (double)(result->episodes - 1)) : 0.0;
    bootstrap(result);
}

static void write_number(const char *name, double value) {
    printf(",\"%s\":", name);
    json_write_number(stdout, value);
}

static void print_json(const stage *stage, const evaluation *result) {
    fputs("{\"env\":", stdout);
    json_write_text(stdout, stage->spec->name);
    fputs(",\"env_version\":", stdout);
    json_write_text(stdout, stage->spec->version);
    printf(",\"env_hash\":\"%016llx\",\"algo\":", (unsigned long long)stage->spec->hash);
    json_write_text(stdout, marl_policy_algo(stage->policy));
    printf(",\"episodes\":%llu,\"seed\":%llu", (unsigned long long)result->episodes,
           (unsigned long long)result->seed);
    write_number("epsilon", result->epsilon);
    write_number("mean", result->mean);
    write_number("std", result->std);
    fputs(",\"interval\":[", stdout);
    json_write_number(stdout, result->low);
    fputs(",", stdout);
    json_write_number(stdout, result->high);
    fputs("]", stdout);
    write_number("win_rate", result->with_outcome ? (double)result->won / (double)result->episodes : NAN);
    write_number("length_mean", result->length_mean);
    fputs(",\"returns\":[", stdout);
    for (uint64_t i = 0; i < result->episodes; i++) {
        if (i > 0) fputs(",", stdout);
        json_write_number(stdout, result->returns[i]);
    }
    fputs("]}\n", stdout);
}

static void print_line(const stage *stage, const evaluation *result) {
    terminal terminal;

    terminal_init(&terminal);
    printf("%s on %s: return %s%.3f%s (95 %% interval %.3f to %.3f), standard deviation %.3f",
           marl_policy_algo(stage->policy), stage->spec->name, terminal_style(&terminal, STYLE_BOLD), result->mean,
           terminal_style(&terminal, STYLE_PLAIN), result->low, result->high, result->std);
    if (result->with_outcome) printf(", won %.1f %%", 100.0 * (double)result->won / (double)result->episodes);
    printf("; %llu episodes of %.1f steps, epsilon %g, seed %llu\n", (unsigned long long)result->episodes,
           result->length_mean, result->epsilon, (unsigned long long)result->seed);
}

static int evaluate(const options *options, stage *stage, evaluation *result) {
    double least = -INFINITY;
    int status = options_real(options, "min-return", -INFINITY, INFINITY, &least);

    if (status) return status;
    result->returns = calloc(result->episodes, sizeof *result->returns);
    if (!result->returns) return fail("no memory for the returns");
    if (play_episodes(stage, result) != MARL_OK) return fail_library();
    summarise(result);
    if (options_get(options, "json")) print_json(stage, result);
    else print_line(stage, result);
    if (result->mean >= least) return 0;
    return fail("the mean return %.4f is below --min-return %g", result->mean, least);
}

static int eval(const options *options) {
    evaluation result = {.episodes = 100, .seed = 1};
    stage stage;
    int status;

    if ((status = options_whole(options, "episodes", 1, &result.episodes))) return status;
    if ((status = options_whole(options, "seed", 0, &result.seed))) return status;
    if ((status = options_real(options, "epsilon", 0.0, 1.0, &result.epsilon))) return status;
    if (result.episodes > EPISODES_MAX) return fail_usage(options->command, "--episodes is at most %d", EPISODES_MAX);
    status = stage_open(options, result.episodes < TEAMS_MAX ? (uint32_t)result.episodes : TEAMS_MAX, result.seed,
                        result.epsilon, &stage);
    if (status) return status;
    status = evaluate(options, &stage, &result);
    free(result.returns);
    stage_close(&stage);
    return status;
}

const command eval_command = {
    .name = "eval",
    .arguments = "DIR|FILE [FLAG...]",
    .summary = "measure a trained team over many episodes",
    .about = "DIR is a run's directory (its policy.safetensors is taken), FILE a policy.",
    .positional_max = 1,
    .flags = flags,
    .run = eval,
};
