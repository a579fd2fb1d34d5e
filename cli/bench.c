/* SPDX-License-Identifier: Apache-2.0 */
/* `marl bench`: quick figures through the public API, a few seconds in all: environment steps, acting, training. Each
 * measurement is repeated and printed as one JSON line with median, least and greatest. The full benchmarks, with the
 * peers beside them, are `make bench`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "run_config.h"
#include "terminal.h"

enum { REPEATS = 7, WARM_UPS = 1 };
static const double repeat_seconds = 0.1;

static const option_spec flags[] = {
    {"threads", "N", "threads of the device (default 1)"},
    {"env", "NAME", "environment (default lbf:8x8-2p-2f-coop)"},
    {"algo", "NAME", "algorithm of act and train (default qmix)"},
    {NULL, NULL, NULL},
};

static const char *const case_names[] = {"env", "act", "train", NULL};

typedef struct bench {
    const options *options;
    const char *env, *algo;
    marl_device *device;
    uint32_t threads;
} bench;

/* Measures one repeat: how much was done in how many seconds. */
typedef marl_status (*measure)(void *work, uint64_t *out_done, double *out_seconds);

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* is_time: reports the microseconds that one takes, else how many are done in a second. */
static int report(const bench *bench, const char *name, bool is_time, measure run, void *work) {
    double values[REPEATS], seconds = 0.0;
    uint64_t done = 0;

    for (int i = -WARM_UPS; i < REPEATS; i++) {
        if (run(work, &done, &seconds) != MARL_OK) return fail_library();
        if (i >= 0) values[i] = is_time ? 1e6 * seconds / (double)done : (double)done / seconds;
    }
    qsort(values, REPEATS, sizeof values[0], compare);
    fputs("{\"case\":", stdout);
    json_write_text(stdout, name);
    printf(",\"metric\":\"%s\",\"median\":%.6g,\"min\":%.6g,\"max\":%.6g,\"n\":%d,\"threads\":%u}\n",
           is_time ? "microseconds" : "steps_per_second", values[REPEATS / 2], values[0], values[REPEATS - 1],
           REPEATS, bench->threads);
    fflush(stdout);
    return 0;
}

/* One environment and the buffers of its step; also what act is asked with. */
typedef struct world {
    marl_env *env;
    const marl_env_spec *spec;
    uint32_t agents, actions_max;
    float *obs;
    uint8_t *avail;
    int32_t *actions;
    double *rewards;
    uint64_t random;
    uint64_t episode;
    marl_policy *policy;
    marl_policy_state *state;
} world;

static marl_status world_observe(world *world) {
    marl_view view = {.struct_size = sizeof view, .obs = world->obs, .avail = world->avail};

    return marl_env_observe(world->env, &view);
}

static int world_open(const char *name, uint32_t teams, world *out) {
    size_t rows;

    memset(out, 0, sizeof *out);
    out->random = 1;
    if (marl_env_create(NULL, name, NULL, &out->env) != MARL_OK) return fail_library();
    out->spec = marl_env_get_spec(out->env);
    out->agents = out->spec->agent_count;
    out->actions_max = marl_env_action_count(out->env);
    rows = (size_t)teams * out->agents;
    out->obs = calloc(rows * marl_env_obs_size(out->env) + 1, sizeof *out->obs);
    out->avail = calloc(rows * out->actions_max + 1, 1);
    out->actions = calloc(rows, sizeof *out->actions);
    out->rewards = calloc(out->agents, sizeof *out->rewards);
    if (!out->obs || !out->avail || !out->actions || !out->rewards) return fail("no memory for %u teams", teams);
    if (marl_env_reset(out->env, 1) != MARL_OK || world_observe(out) != MARL_OK) return fail_library();
    return 0;
}

static void world_close(world *world) {
    marl_policy_state_destroy(world->state);
    marl_policy_destroy(world->policy);
    marl_env_destroy(world->env);
    free(world->obs);
    free(world->avail);
    free(world->actions);
    free(world->rewards);
}

/* A random available action for every agent; xorshift, as the point is the environment's time. */
static void choose_at_random(world *world) {
    for (uint32_t i = 0; i < world->agents; i++) {
        const uint8_t *avail = world->avail + (size_t)i * world->actions_max;
        uint32_t action;

        do {
            world->random ^= world->random << 13;
            world->random ^= world->random >> 7;
            world->random ^= world->random << 17;
            action = (uint32_t)(world->random >> 32) % world->actions_max;
        } while (!avail[action]);
        world->actions[i] = (int32_t)action;
    }
}

static marl_status measure_env(void *work, uint64_t *out_done, double *out_seconds) {
    world *world = work;
    double begun = clock_seconds();
    uint64_t done = 0;
    marl_status status;

    do {
        for (int i = 0; i < 256; i++, done++) {
            marl_actions actions = {.struct_size = sizeof actions, .discrete = world->actions};
            marl_step step = {.struct_size = sizeof step, .rewards = world->rewards};

            choose_at_random(world);
            if ((status = marl_env_step(world->env, &actions, &step)) != MARL_OK) return status;
            if (step.terminated || step.truncated) status = marl_env_reset(world->env, ++world->episode);
            if (status != MARL_OK || (status = world_observe(world)) != MARL_OK) return status;
        }
    } while (clock_seconds() - begun < repeat_seconds);
    *out_done = done;
    *out_seconds = clock_seconds() - begun;
    return MARL_OK;
}

static int bench_env(const bench *bench) {
    char name[COMPONENT_BYTES];
    world world;
    int status = world_open(bench->env, 1, &world);

    snprintf(name, sizeof name, "env/%s", bench->env);
    if (!status) status = report(bench, name, false, measure_env, &world);
    world_close(&world);
    return status;
}

/* A policy in memory: what a fresh trainer saves. */
typedef struct blob {
    char *bytes;
    size_t used, capacity;
} blob;

static marl_status blob_write(const void *data, size_t bytes, void *user) {
    blob *blob = user;

    if (bytes > blob->capacity - blob->used) {
        size_t capacity = 2 * (blob->used + bytes);
        char *grown = realloc(blob->bytes, capacity);

        if (!grown) return MARL_E_NOMEM;
        blob->bytes = grown;
        blob->capacity = capacity;
    }
    memcpy(blob->bytes + blob->used, data, bytes);
    blob->used += bytes;
    return MARL_OK;
}

static int make_trainer(const bench *bench, marl_trainer **out) {
    char component[COMPONENT_BYTES];
    marl_config *config = NULL;
    int status = 0;

    snprintf(component, sizeof component, "run/%s/%s", bench->algo, bench->env);
    if (marl_config_create(NULL, component, &config) != MARL_OK ||
        marl_config_set(config, "horizon", "1000000") != MARL_OK ||
        marl_trainer_create(bench->device, config, NULL, out) != MARL_OK) {
        status = fail_library();
    }
    marl_config_destroy(config);
    return status;
}

static int make_policy(const bench *bench, const marl_env_spec *spec, marl_policy **out) {
    marl_trainer *trainer = NULL;
    marl_source source;
    marl_sink sink;
    blob blob = {0};
    int status = make_trainer(bench, &trainer);

    marl_sink_init(&sink, sizeof sink);
    sink.write = blob_write;
    sink.user = &blob;
    marl_source_init(&source, sizeof source);
    if (!status && marl_trainer_save_policy(trainer, &sink) != MARL_OK) status = fail_library();
    source.bytes = blob.bytes;
    source.byte_count = blob.used;
    if (!status && marl_policy_load(bench->device, &source, spec, out) != MARL_OK) status = fail_library();
    marl_trainer_destroy(trainer);
    free(blob.bytes);
    return status;
}

static marl_status measure_act(void *work, uint64_t *out_done, double *out_seconds) {
    world *world = work;
    double begun = clock_seconds();
    uint64_t done = 0;
    marl_status status;

    do {
        for (int i = 0; i < 64; i++, done++) {
            status = marl_policy_act(world->policy, world->state, world->obs, world->avail, NULL, world->actions);
            if (status != MARL_OK) return status;
        }
    } while (clock_seconds() - begun < repeat_seconds);
    *out_done = done;
    *out_seconds = clock_seconds() - begun;
    return MARL_OK;
}

static int bench_act_teams(const bench *bench, uint32_t teams) {
    char name[COMPONENT_BYTES];
    size_t obs_row, avail_row;
    world world;
    int status = world_open(bench->env, teams, &world);

    if (status) goto done;
    obs_row = (size_t)world.agents * marl_env_obs_size(world.env);
    avail_row = (size_t)world.agents * world.actions_max;
    for (uint32_t team = 1; team < teams; team++) {
        memcpy(world.obs + team * obs_row, world.obs, obs_row * sizeof *world.obs);
        memcpy(world.avail + team * avail_row, world.avail, avail_row);
    }
    if ((status = make_policy(bench, world.spec, &world.policy))) goto done;
    if (marl_policy_state_create(world.policy, teams, 1, &world.state) != MARL_OK) {
        status = fail_library();
        goto done;
    }
    snprintf(name, sizeof name, "act/%s/%s/teams=%u", bench->algo, bench->env, teams);
    status = report(bench, name, true, measure_act, &world);
done:
    world_close(&world);
    return status;
}

static int bench_act(const bench *bench) {
    int status = bench_act_teams(bench, 1);

    return status ? status : bench_act_teams(bench, 8);
}

static marl_status measure_train(void *work, uint64_t *out_done, double *out_seconds) {
    marl_progress before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
    double begun = clock_seconds();
    marl_status status = marl_trainer_progress(work, &before);

    if (status == MARL_OK) status = marl_trainer_run(work, before.steps + 2000);
    if (status == MARL_OK) status = marl_trainer_progress(work, &after);
    *out_done = after.steps - before.steps;
    *out_seconds = clock_seconds() - begun;
    return status;
}

static int bench_train(const bench *bench) {
    char name[COMPONENT_BYTES];
    marl_trainer *trainer = NULL;
    int status = make_trainer(bench, &trainer);

    snprintf(name, sizeof name, "train/%s/%s", bench->algo, bench->env);
    if (!status) status = report(bench, name, false, measure_train, trainer);
    marl_trainer_destroy(trainer);
    return status;
}

static int run_bench(const options *options) {
    static int (*const cases[])(const bench *bench) = {bench_env, bench_act, bench_train};
    const char *wanted = options_positional(options, 0), *env = options_get(options, "env"), *nearest;
    const char *algo = options_get(options, "algo"), *threads = options_get(options, "threads");
    bench bench = {.options = options, .env = env ? env : "lbf:8x8-2p-2f-coop", .algo = algo ? algo : "qmix"};
    bool is_found = false;
    int status;

    for (int i = 0; case_names[i]; i++) is_found |= !wanted || strcmp(wanted, case_names[i]) == 0;
    if (!is_found) {
        nearest = nearest_word(wanted, case_names);
        return fail_usage(options->command, "there is no case \"%s\"%s%s", wanted, nearest ? "; did you mean " : ": ",
                          nearest ? nearest : "env, act, train");
    }
    if ((status = open_device(NULL, "cpu", threads ? threads : "1", &bench.device))) return status;
    bench.threads = marl_device_threads(bench.device);
    for (int i = 0; case_names[i] && !status; i++) {
        if (!wanted || strcmp(wanted, case_names[i]) == 0) status = cases[i](&bench);
    }
    marl_device_close(bench.device);
    return status;
}

const command bench_command = {
    .name = "bench",
    .arguments = "[env|act|train] [FLAG...]",
    .summary = "quick figures of speed as JSON lines",
    .about = NULL,
    .positional_max = 1,
    .flags = flags,
    .run = run_bench,
};
