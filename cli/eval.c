/* SPDX-License-Identifier: Apache-2.0 */
/* `marl eval`: plays episodes with saved teams and reports the mean return of each with a 95 % interval; of several,
 * also what the runs of an experiment have in common.
 *
 * Up to sixteen teams play side by side. Episode e starts from a seed made of --seed and e alone and is counted
 * whenever it ends, so every episode is played to its end and short ones are not favoured. The interval is the
 * percentile bootstrap of the mean: returns of cooperative games are rarely normal (often all or nothing). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "recorder.h"
#include "runs.h"
#include "statistics.h"
#include "terminal.h"

enum { EPISODES_MAX = 1000000, RUNS_MAX = 1000 };

static const option_spec flags[] = {
    {"env", "NAME", "play in another environment than the one trained in"},
    {"set", "env.KEY=VALUE", "change a parameter of the environment"},
    {"episodes", "N", "episodes to play (default 100)"},
    {"seed", "S", "of environments and random choices (default 1)"},
    {"epsilon", "E", "chance that an agent acts at random (default 0: greedy)"},
    {"threads", "N", "threads; never changes the result"},
    {"min-return", "R", "exit status 1 if a mean return is below R"},
    {"group", "KEY,KEY", "what tells groups apart: algo, env, device or keys; default: everything but the seed"},
    {"record", "FILE", "write one episode as a replay, for marl play --replay and marl plot --replay"},
    {"pick", "WHICH", "the episode that --record writes: best, worst or its number (default 1)"},
    {"json", NULL, "print one JSON object"},
    {NULL, NULL, NULL},
};

typedef struct evaluation {
    char algo[COMPONENT_BYTES], env[COMPONENT_BYTES], env_version[64];
    uint64_t env_hash;
    uint64_t episodes, seed;
    double epsilon;
    double least;       /* of the mean, for success */
    double *returns;    /* (episodes) */
    double length_mean;
    uint64_t won, with_outcome;
    double mean, std, low, high;
} evaluation;

/* Several runs of one experiment. */
typedef struct group_result {
    double iqm, low, high; /* the interval is NAN for one run */
    double mean, least, greatest;
} group_result;

/* An episode that has ended: its outcome, and the next one for the team. */
static marl_status next_episode(stage *stage, uint32_t team, const marl_step *step, evaluation *result,
                                recorder *recorder, uint64_t *begun, uint64_t playing[TEAMS_MAX]) {
    marl_status status;

    result->with_outcome += step->outcome != MARL_OUTCOME_NONE;
    result->won += step->outcome == MARL_OUTCOME_WON;
    playing[team] = *begun;
    if (*begun >= result->episodes) {
        stage_rest(stage, team);
        return MARL_OK;
    }
    status = stage_begin(stage, team, result->seed, *begun);
    recorder_begin(recorder, stage, team, result->seed, (*begun)++);
    return status;
}

static marl_status play_episodes(stage *stage, evaluation *result, recorder *recorder) {
    uint64_t playing[TEAMS_MAX], begun = 0, ended = 0, steps = 0;
    marl_status status = MARL_OK;

    for (uint32_t team = 0; team < stage->teams && status == MARL_OK; team++) {
        playing[team] = begun;
        status = stage_begin(stage, team, result->seed, begun);
        recorder_begin(recorder, stage, team, result->seed, begun++);
    }
    while (status == MARL_OK && ended < result->episodes) {
        status = stage_act(stage);
        for (uint32_t team = 0; team < stage->teams && status == MARL_OK; team++) {
            marl_step step;
            double reward;

            if (playing[team] >= result->episodes) continue;
            if ((status = stage_step(stage, team, &step, &reward)) != MARL_OK) break;
            recorder_step(recorder, stage, team, &step);
            steps++;
            result->returns[playing[team]] += reward;
            if (!step.terminated && !step.truncated) continue;
            ended++;
            status = next_episode(stage, team, &step, result, recorder, &begun, playing);
        }
    }
    result->length_mean = ended > 0 ? (double)steps / (double)ended : 0.0;
    return status;
}

static int summarise(evaluation *result) {
    double squares = 0.0, *scratch;

    result->mean = statistics_mean(result->returns, result->episodes);
    for (uint64_t i = 0; i < result->episodes; i++) squares += pow(result->returns[i] - result->mean, 2.0);
    result->std = result->episodes > 1 ? sqrt(squares / (double)(result->episodes - 1)) : 0.0;
    scratch = calloc(result->episodes, sizeof *scratch);
    if (!scratch) return fail("no memory for the interval");
    statistics_interval(result->returns, result->episodes, statistics_mean, result->seed, scratch, &result->low,
                        &result->high);
    free(scratch);
    return 0;
}

static void write_number(const char *name, double value) {
    printf(",\"%s\":", name);
    json_write_number(stdout, value);
}

/* The members of one team's object. */
static void write_members(const evaluation *result) {
    fputs("\"env\":", stdout);
    json_write_text(stdout, result->env);
    fputs(",\"env_version\":", stdout);
    json_write_text(stdout, result->env_version);
    printf(",\"env_hash\":\"%016llx\",\"algo\":", (unsigned long long)result->env_hash);
    json_write_text(stdout, result->algo);
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
    fputs("]", stdout);
}

static void print_line(const evaluation *result) {
    terminal terminal;

    terminal_init(&terminal);
    printf("%s on %s: return %s%.3f%s (95 %% interval %.3f to %.3f), standard deviation %.3f", result->algo,
           result->env, terminal_style(&terminal, STYLE_BOLD), result->mean, terminal_style(&terminal, STYLE_PLAIN),
           result->low, result->high, result->std);
    if (result->with_outcome) printf(", won %.1f %%", 100.0 * (double)result->won / (double)result->episodes);
    printf("; %llu episodes of %.1f steps, epsilon %g, seed %llu\n", (unsigned long long)result->episodes,
           result->length_mean, result->epsilon, (unsigned long long)result->seed);
}

/* Plays one team; settings is what all teams have in common. The returns are the caller's to free, also on failure. */
static int evaluate(const options *options, const char *path, const evaluation *settings, evaluation *result) {
    uint32_t teams = settings->episodes < TEAMS_MAX ? (uint32_t)settings->episodes : TEAMS_MAX;
    recorder *recorder = NULL;
    stage stage;
    int status;

    *result = *settings;
    if ((status = stage_open(options, path, teams, result->seed, result->epsilon, &stage))) return status;
    snprintf(result->algo, sizeof result->algo, "%s", marl_policy_algo(stage.policy));
    snprintf(result->env, sizeof result->env, "%s", stage.spec->name);
    snprintf(result->env_version, sizeof result->env_version, "%s", stage.spec->version);
    result->env_hash = stage.spec->hash;
    result->returns = calloc(result->episodes, sizeof *result->returns);
    recorder = calloc(1, sizeof *recorder);
    if (!result->returns || !recorder) status = fail("no memory for the returns");
    else status = recorder_open(recorder, options, result->episodes);
    if (!status && play_episodes(&stage, result, recorder) != MARL_OK) status = fail_library();
    if (!status) status = recorder_write(recorder, &stage, path, result->epsilon, result->seed);
    if (!status) status = summarise(result);
    if (recorder) recorder_close(recorder);
    free(recorder);
    stage_close(&stage);
    return status;
}

static int evaluate_one(const options *options, const evaluation *settings) {
    evaluation result = {0};
    int status = evaluate(options, options_positional(options, 0), settings, &result);

    if (!status && options_get(options, "json")) {
        fputs("{", stdout);
        write_members(&result);
        fputs("}\n", stdout);
    } else if (!status) {
        print_line(&result);
    }
    free(result.returns);
    if (status || result.mean >= result.least) return status;
    return fail("the mean return %.4f is below --min-return %g", result.mean, result.least);
}

/* The interquartile mean over the runs of a group, each with its mean return, and its interval, which one run lacks. */
static void summarise_group(const run_list *list, const evaluation *results, size_t group, group_result *out) {
    double means[RUNS_MAX], scratch[RUNS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (list->runs[i].group == group) means[count++] = results[i].mean;
    }
    *out = (group_result){.low = NAN, .high = NAN, .least = INFINITY, .greatest = -INFINITY};
    for (size_t i = 0; i < count; i++) {
        out->least = fmin(out->least, means[i]);
        out->greatest = fmax(out->greatest, means[i]);
    }
    if (count > 1) {
        statistics_interval(means, count, statistics_iqm, results[0].seed, scratch, &out->low, &out->high);
    }
    out->mean = statistics_mean(means, count);
    out->iqm = statistics_iqm(means, count);
}

static void write_group(const run_list *list, const evaluation *results, size_t group) {
    const run *first = &list->runs[list->groups[group].first];
    group_result result;
    const char *comma = "";

    summarise_group(list, results, group, &result);
    fputs("{\"group\":", stdout);
    json_write_text(stdout, list->groups[group].label);
    fputs(",\"algo\":", stdout);
    json_write_text(stdout, first->algo);
    fputs(",\"env\":", stdout);
    json_write_text(stdout, first->env);
    fputs(",\"runs\":[", stdout);
    for (size_t i = 0; i < list->count; i++) {
        if (list->runs[i].group != group) continue;
        printf("%s%zu", comma, i);
        comma = ",";
    }
    fputs("]", stdout);
    write_number("iqm", result.iqm);
    if (isnan(result.low)) {
        fputs(",\"interval\":null", stdout);
    } else {
        fputs(",\"interval\":[", stdout);
        json_write_number(stdout, result.low);
        fputs(",", stdout);
        json_write_number(stdout, result.high);
        fputs("]", stdout);
    }
    write_number("mean", result.mean);
    write_number("min", result.least);
    write_number("max", result.greatest);
    fputs("}", stdout);
}

static void print_groups_json(const run_list *list, const evaluation *results) {
    fputs("{\"runs\":[", stdout);
    for (size_t i = 0; i < list->count; i++) {
        fputs(i > 0 ? ",{\"path\":" : "{\"path\":", stdout);
        json_write_text(stdout, list->runs[i].path);
        fputs(",", stdout);
        write_members(&results[i]);
        fputs("}", stdout);
    }
    fputs("],\"groups\":[", stdout);
    for (size_t g = 0; g < list->group_count; g++) {
        if (g > 0) fputs(",", stdout);
        write_group(list, results, g);
    }
    fputs("]}\n", stdout);
}

static void print_groups(const run_list *list, const evaluation *results) {
    int width = 5;

    for (size_t i = 0; i < list->count; i++) {
        printf("%s: ", list->runs[i].path);
        print_line(&results[i]);
    }
    for (size_t g = 0; g < list->group_count; g++) {
        int bytes = (int)strlen(list->groups[g].label);

        width = bytes > width ? bytes : width;
    }
    printf("\n| %-*s | runs |    IQM | 95 %% interval  | lowest | highest |\n|:", width, "group");
    for (int i = 0; i <= width; i++) putchar('-');
    printf("|-----:|-------:|:--------------:|-------:|--------:|\n");
    for (size_t g = 0; g < list->group_count; g++) {
        group_result result;
        char interval[64] = "one run";

        summarise_group(list, results, g, &result);
        if (!isnan(result.low)) snprintf(interval, sizeof interval, "%.3f to %.3f", result.low, result.high);
        printf("| %-*s | %4zu | %6.3f | %14s | %6.3f | %7.3f |\n", width, list->groups[g].label,
               list->groups[g].run_count, result.iqm, interval, result.least, result.greatest);
    }
}

/* Every run's mean must reach --min-return. */
static int check_least(const run_list *list, const evaluation *results) {
    for (size_t i = 0; i < list->count; i++) {
        if (results[i].mean >= results[i].least) continue;
        return fail("%s: the mean return %.4f is below --min-return %g", list->runs[i].path, results[i].mean,
                    results[i].least);
    }
    return 0;
}

/* What was played counts, not what a config.json beside it says: --env may name another environment. */
static int evaluate_list(const options *options, const evaluation *settings, run_list *list, evaluation *results) {
    int status = 0;

    if (list->count > RUNS_MAX) return fail("%zu runs are too many, %d at most", list->count, RUNS_MAX);
    for (size_t i = 0; !status && i < list->count; i++) {
        status = evaluate(options, list->runs[i].path, settings, &results[i]);
        snprintf(list->runs[i].algo, sizeof list->runs[i].algo, "%s", results[i].algo);
        snprintf(list->runs[i].env, sizeof list->runs[i].env, "%s", results[i].env);
    }
    if (status || (status = run_list_group(list, options_get(options, "group")))) return status;
    if (options_get(options, "json")) print_groups_json(list, results);
    else print_groups(list, results);
    return check_least(list, results);
}

static int evaluate_several(const options *options, const evaluation *settings) {
    run_list list;
    evaluation *results;
    int status = run_list_open(options, true, &list);

    if (status) return status;
    results = calloc(list.count, sizeof *results);
    status = results ? evaluate_list(options, settings, &list, results) : fail("no memory for %zu runs", list.count);
    for (size_t i = 0; results && i < list.count; i++) free(results[i].returns);
    free(results);
    run_list_close(&list);
    return status;
}

static int eval(const options *options) {
    evaluation settings = {.episodes = 100, .seed = 1, .least = -INFINITY};
    int status;

    if ((status = options_whole(options, "episodes", 1, &settings.episodes))) return status;
    if ((status = options_whole(options, "seed", 0, &settings.seed))) return status;
    if ((status = options_real(options, "epsilon", 0.0, 1.0, &settings.epsilon))) return status;
    if ((status = options_real(options, "min-return", -INFINITY, INFINITY, &settings.least))) return status;
    if (settings.episodes > EPISODES_MAX) {
        return fail_usage(options->command, "--episodes is at most %d", EPISODES_MAX);
    }
    if (options_get(options, "record") && options_positional(options, 1)) {
        return fail_usage(options->command, "--record takes one team, not several");
    }
    return options_positional(options, 1) ? evaluate_several(options, &settings) : evaluate_one(options, &settings);
}

const command eval_command = {
    .name = "eval",
    .arguments = "DIR|FILE... [FLAG...]",
    .summary = "measure trained teams over many episodes",
    .about = "DIR is a run's directory (its policy.safetensors is taken), FILE a policy. Of several, those that\n"
             "differ in the seed alone are a group, with the interquartile mean of their mean returns and its 95 %\n"
             "bootstrap interval over runs. With --json: {\"runs\": [one object each], \"groups\": [...]}.",
    .positional_max = RUNS_MAX,
    .flags = flags,
    .run = eval,
};
