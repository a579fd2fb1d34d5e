/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints that were tampered with, belong elsewhere or could not be written, memory that runs out at every
 * allocation in turn, and the directory of a run. Whatever fails, the trainer stands where it stood. */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/io/safetensors.h"
#include "run/checkpoint.h"
#include "support/support.h"
#include "trainer_kit.h"

Suite *marl__suite_run_checkpoint(void);

static const char foraging[] = "run/vdn/lbf:5x5-2p-1f-coop";

/* ---- other checkpoints ---- */

static void check_refused(marl_device *device, const kit_bytes *bytes, const char *component, const char *settings,
                          marl_status wanted, const char *sentence) {
    marl_trainer *t = kit_trainer(device, component, settings, NULL);
    marl_source source = kit_source(bytes);
    kit_bytes before;

    ck_ok(marl_trainer_run(t, 90));
    before = kit_checkpoint(t);
    ck_assert_int_eq(marl_trainer_load(t, &source), wanted);
    ck_assert_msg(strstr(marl_last_error(), sentence) != NULL, "expected \"%s\" in \"%s\"", sentence,
                  marl_last_error());
    ck_assert(kit_stands_at(t, &before));
    kit_free(&before);
    marl_trainer_destroy(t);
}

START_TEST(checkpoints_of_other_runs_are_refused) {
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = kit_trainer(device, foraging, "", NULL);
    kit_bytes bytes;

    ck_ok(marl_trainer_run(t, 300));
    bytes = kit_checkpoint(t);
    check_refused(device, &bytes, "run/vdn/lbf:6x6-2p-1f-coop", "", MARL_E_MISMATCH,
                  "environment name: the checkpoint has lbf:5x5-2p-1f-coop, this trainer has lbf:6x6-2p-1f-coop");
    check_refused(device, &bytes, "run/vdn/lbf:5x5-2p-1f-coop", "env.max_episode_steps=30", MARL_E_MISMATCH, "hash");
    check_refused(device, &bytes, "run/qmix/lbf:5x5-2p-1f-coop", "", MARL_E_MISMATCH,
                  "component: the checkpoint has run/vdn/lbf:5x5-2p-1f-coop, this trainer has run/qmix/");
    check_refused(device, &bytes, foraging, "lr=0.25", MARL_E_MISMATCH,
                  "lr: the checkpoint has 0.0005, this trainer has 0.25");
    check_refused(device, &bytes, foraging, "replay.store=f16", MARL_E_MISMATCH,
                  "replay.store: the checkpoint has f32, this trainer has f16");
    check_refused(device, &bytes, foraging, "envs=4", MARL_E_MISMATCH, "envs: the checkpoint has 3");
    check_refused(device, &bytes, foraging, "net=mlp", MARL_E_MISMATCH, "net: the checkpoint has gru");
    kit_free(&bytes);
    marl_trainer_destroy(t);
    marl_device_close(device);
}
END_TEST

START_TEST(settings_of_watching_may_differ) {
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = kit_trainer(device, foraging, "", NULL);
    marl_trainer *other = kit_trainer(device, foraging, "progress.every=7 checkpoint.every=11", NULL);
    kit_bytes bytes;
    marl_source source;

    ck_ok(marl_trainer_run(t, 300));
    bytes = kit_checkpoint(t);
    source = kit_source(&bytes);
    ck_ok(marl_trainer_load(other, &source));
    kit_free(&bytes);
    marl_trainer_destroy(t);
    marl_trainer_destroy(other);
    marl_device_close(device);
}
END_TEST

/* ---- damaged and forged files ---- */

START_TEST(damaged_checkpoints_are_refused) {
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = kit_trainer(device, foraging, "", NULL);
    kit_bytes bytes, before;
    marl__rng rng;

    ck_ok(marl_trainer_run(t, 300));
    bytes = kit_checkpoint(t);
    ck_ok(marl_trainer_run(t, 330));
    before = kit_checkpoint(t);
    marl__rng_init(&rng, 3, marl__stream(MARL__STREAM_TEST, 0));
    for (int i = 0; i < 300; i++) {
        kit_bytes damaged = bytes;
        marl_source source;
        size_t at = marl__rng_u32(&rng) % (i % 2 ? bytes.count : 6000);
        unsigned char kept = bytes.data[at];

        if (i % 3 == 0) damaged.count = at;
        else damaged.data[at] ^= (unsigned char)(1u << marl__rng_below(&rng, 8));
        source = kit_source(&damaged);
        ck_assert_int_ne(marl_trainer_load(t, &source), MARL_OK);
        bytes.data[at] = kept;
    }
    ck_assert(kit_stands_at(t, &before));
    kit_free(&bytes);
    kit_free(&before);
    marl_trainer_destroy(t);
    marl_device_close(device);
}
END_TEST

/* Writes a file again with valid checksums but one text or one tensor changed: what a forger would do. */
typedef struct forgery {
    const char *text, *from, *to;           /* in the text of this key */
    const char *tensor;                     /* or in this tensor, */
    size_t at;                              /* at this byte, */
    int64_t value;                          /* this number of `bytes` bytes */
    size_t bytes;
} forgery;

static void forge_text(marl__safetensors_writer *writer, const char *key, const char *text, const forgery *f) {
    char changed[16384];
    const char *found = f->text && strcmp(f->text, key) == 0 ? strstr(text, f->from) : NULL;

    if (found) {
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(found - text), text, f->to, found + strlen(f->from));
        text = changed;
    }
    ck_ok(marl__safetensors_add_metadata(writer, key, text));
}

static kit_bytes forge(marl__heap *heap, const kit_bytes *bytes, const forgery *f) {
    static const char *const keys[] = {MARL__CHECKPOINT_HEAD, MARL__CHECKPOINT_RUN, MARL__CHECKPOINT_ENV,
                                       MARL__CHECKPOINT_LAYOUT, MARL__CHECKPOINT_COUNTERS};
    marl_source source = kit_source(bytes);
    marl__safetensors *file = NULL;
    marl__safetensors_writer *writer = NULL;
    unsigned char *copies[256] = {0};
    kit_bytes out;
    marl_sink sink = kit_sink(&out);

    ck_ok(marl__safetensors_open(heap, &source, UINT64_C(1) << 30, &file));
    ck_ok(marl__safetensors_writer_create(heap, &writer));
    for (size_t i = 0; i < 5; i++) forge_text(writer, keys[i], marl__safetensors_metadata(file, keys[i]), f);
    for (uint32_t i = 0; i < marl__safetensors_count(file); i++) {
        const marl__tensor_info *info = marl__safetensors_info(file, i);

        copies[i] = malloc(info->byte_count + 1);
        ck_ok(marl__safetensors_read(file, info, copies[i], info->byte_count));
        if (f->tensor && strcmp(f->tensor, info->name) == 0) {
            ck_assert_uint_le(f->at + f->bytes, info->byte_count);
            memcpy(copies[i] + f->at, &f->value, f->bytes);
        }
        ck_ok(marl__safetensors_add(writer, info->name, info->type, info->rank, info->shape, copies[i]));
    }
    ck_ok(marl__safetensors_finish(writer, &sink));
    marl__safetensors_writer_destroy(writer);
    marl__safetensors_close(file);
    for (size_t i = 0; i < 256; i++) free(copies[i]);
    return out;
}

START_TEST(forged_checkpoints_are_refused) {
    static const struct {
        forgery forgery;
        marl_status wanted;
    } cases[] = {
        {{.text = MARL__CHECKPOINT_HEAD, .from = "\"schema\":1", .to = "\"schema\":2"}, MARL_E_VERSION},
        {{.text = MARL__CHECKPOINT_HEAD, .from = "\"schema\":1", .to = "\"sch\":1"}, MARL_E_FORMAT},
        {{.text = MARL__CHECKPOINT_HEAD, .from = "true", .to = "false"}, MARL_E_UNSUPPORTED},
        {{.text = MARL__CHECKPOINT_RUN, .from = "\"seed\":1", .to = "\"seed\":2"}, MARL_E_MISMATCH},
        {{.text = MARL__CHECKPOINT_RUN, .from = "\"seed\":1,", .to = ""}, MARL_E_MISMATCH},
        {{.text = MARL__CHECKPOINT_RUN, .from = "\"seed\":1,", .to = "\"seed\":1,\"more\":3,"}, MARL_E_MISMATCH},
        {{.text = MARL__CHECKPOINT_ENV, .from = "\"agents\":2", .to = "\"agents\":3"}, MARL_E_MISMATCH},
        {{.text = MARL__CHECKPOINT_LAYOUT, .from = "agent.", .to = "agent_"}, MARL_E_VERSION},
        {{.tensor = "run.counters", .at = 0, .value = -1, .bytes = 8}, MARL_E_FORMAT},
        {{.tensor = "run.counters", .at = 24, .value = 5000000, .bytes = 8}, MARL_E_FORMAT}, /* the debt */
        {{.tensor = "env.length", .at = 0, .value = 50, .bytes = 4}, MARL_E_FORMAT},
        {{.tensor = "env.last_action", .at = 0, .value = 6, .bytes = 4}, MARL_E_FORMAT},
        {{.tensor = "env.avail", .at = 1, .value = 9, .bytes = 1}, MARL_E_FORMAT},
        {{.tensor = "env.hidden", .at = 0, .value = 0x7fc00000, .bytes = 4}, MARL_E_FORMAT},
        {{.tensor = "open.actions", .at = 4, .value = -7, .bytes = 4}, MARL_E_FORMAT},
        {{.tensor = "learner.params", .at = 0, .value = 0x7f800000, .bytes = 4}, MARL_E_FORMAT},
        {{.tensor = "replay.lengths", .at = 0, .value = 0, .bytes = 4}, MARL_E_FORMAT},
        {{.tensor = "replay.lengths", .at = 0, .value = 1000000, .bytes = 4}, MARL_E_FORMAT},
        {{.tensor = "replay.lengths", .at = 0, .value = 1, .bytes = 4}, MARL_E_MISMATCH},
        {{.tensor = "replay.terminated", .at = 0, .value = 3, .bytes = 1}, MARL_E_FORMAT},
        {{.tensor = "replay.records", .at = 0, .value = 0x7fc00000, .bytes = 4}, MARL_E_FORMAT},
        /* The second environment's own state: the first one is restored by then and must go back. */
        {{.tensor = "env.saved", .at = 0, .value = 1, .bytes = 4}, MARL_E_FORMAT},
    };
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = kit_trainer(device, foraging, "", NULL);
    marl__heap heap;
    kit_bytes bytes, before;

    ck_ok(marl__heap_init(&heap, NULL));
    ck_ok(marl_trainer_run(t, 300));
    bytes = kit_checkpoint(t);
    ck_ok(marl_trainer_run(t, 360));
    before = kit_checkpoint(t);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        forgery own = cases[i].forgery;
        kit_bytes forged;
        marl_source source;

        if (own.tensor && strcmp(own.tensor, "env.saved") == 0) own.at = marl_env_save_bytes(t->vector->envs[0].env);
        forged = forge(&heap, &bytes, &own);
        source = kit_source(&forged);
        ck_assert_msg(marl_trainer_load(t, &source) == cases[i].wanted, "case %zu: %s", i, marl_last_error());
        ck_assert_msg(kit_stands_at(t, &before), "case %zu left a trace", i);
        kit_free(&forged);
    }
    /* Unchanged it is taken: the forger's hand alone is no reason. */
    forgery none = {0};
    kit_bytes same = forge(&heap, &bytes, &none);
    marl_source source = kit_source(&same);
    ck_ok(marl_trainer_load(t, &source));
    ck_assert(kit_stands_at(t, &bytes));
    kit_free(&same);
    kit_free(&bytes);
    kit_free(&before);
    marl_trainer_destroy(t);
    marl_device_close(device);
    ck_assert_uint_eq(heap.current_bytes, 0);
}
END_TEST

/* Halves and saved states are looked at as closely, those of open episodes too. */
START_TEST(forged_stores_are_refused) {
    static const struct {
        const char *settings;
        forgery forgery;
        const char *sentence;
    } cases[] = {
        {"replay.store=f16", {.tensor = "replay.records", .at = 2, .value = 0x7c00, .bytes = 2}, "episode 0 of"},
        {"replay.store=state", {.tensor = "replay.records", .at = 0, .value = 1, .bytes = 4}, "replay: step 0: "},
        {"replay.store=state", {.tensor = "replay.records", .at = 4, .value = 0, .bytes = 4}, "replay: step 0: "},
        {"replay.store=state", {.tensor = "replay.records", .at = 28, .value = 9999, .bytes = 4}, "replay: step 0: "},
        {"replay.store=state", {.tensor = "open.saved", .at = 28, .value = 9999, .bytes = 4},
         "the open episode of environment 0, step 0: "},
    };
    marl_device *device = kit_device(NULL, 1);
    marl__heap heap;

    ck_ok(marl__heap_init(&heap, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        marl_trainer *t = kit_trainer(device, foraging, cases[i].settings, NULL);
        kit_bytes bytes, before, forged;
        marl_source source;

        ck_ok(marl_trainer_run(t, 320));
        bytes = kit_checkpoint(t);
        ck_assert_int_gt(t->vector->envs[0].length, 0);
        ck_ok(marl_trainer_run(t, 400));
        before = kit_checkpoint(t);
        forged = forge(&heap, &bytes, &cases[i].forgery);
        source = kit_source(&forged);
        ck_assert_msg(marl_trainer_load(t, &source) == MARL_E_FORMAT, "case %zu: %s", i, marl_last_error());
        ck_assert_msg(strstr(marl_last_error(), cases[i].sentence) != NULL, "case %zu: %s", i, marl_last_error());
        ck_assert_msg(kit_stands_at(t, &before), "case %zu left a trace", i);
        source = kit_source(&bytes);
        ck_ok(marl_trainer_load(t, &source));
        kit_free(&forged);
        kit_free(&bytes);
        kit_free(&before);
        marl_trainer_destroy(t);
    }
    marl_device_close(device);
}
END_TEST

/* A length that does not fit the environment's own count of steps ends the run with an error, not beyond the arrays. */
START_TEST(a_forged_length_is_found_in_time) {
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = kit_trainer(device, foraging, "epsilon_start=0 epsilon_end=0", NULL);
    forgery f = {.tensor = "env.length", .at = 0, .value = 49, .bytes = 4};
    marl__heap heap;
    kit_bytes bytes, forged;
    marl_source source;

    ck_ok(marl__heap_init(&heap, NULL));
    ck_ok(marl_trainer_run(t, 9));
    bytes = kit_checkpoint(t);
    forged = forge(&heap, &bytes, &f);
    source = kit_source(&forged);
    ck_ok(marl_trainer_load(t, &source));
    ck_assert_int_eq(marl_trainer_run(t, 300), MARL_E_STATE);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "past its limit of 50"));
    kit_free(&bytes);
    kit_free(&forged);
    marl_trainer_destroy(t);
    marl_device_close(device);
}
END_TEST

START_TEST(without_the_replay_a_run_goes_on) {
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = kit_trainer(device, foraging, "checkpoint.replay=none", NULL);
    kit_bytes small;
    marl_source source;
    uint64_t updates;

    ck_ok(marl_trainer_run(t, 900));
    small = kit_checkpoint(t);
    updates = t->state.updates;
    source = kit_source(&small);
    ck_ok(marl_trainer_load(t, &source));
    ck_assert_int_eq(marl__replay_count(t->replay), 0);
    ck_ok(marl_trainer_run(t, 1500));
    ck_assert_uint_gt(t->state.updates, updates);
    kit_free(&small);
    marl_trainer_destroy(t);
    marl_device_close(device);
}
END_TEST

/* ---- memory that runs out ---- */

typedef struct errand {
    marl_status status;
    kit_bytes saved;
} errand;

/* Create, train, save, load: whatever fails first is the errand's status. */
static void run_errand(const marl_host *host, const char *component, const char *settings, const kit_bytes *older,
                       errand *out) {
    marl_config *device_config = NULL, *config = NULL;
    marl_device *device = NULL;
    marl_trainer *t = NULL;
    marl_sink sink = kit_sink(&out->saved);
    marl_source source = kit_source(older);
    double returns[3];
    marl_status *status = &out->status;

    if ((*status = marl_config_create(host, "device", &device_config)) != MARL_OK) goto done;
    if ((*status = marl_config_set(device_config, "threads", "2")) != MARL_OK) goto done;
    if ((*status = marl_device_open(host, "cpu", device_config, &device)) != MARL_OK) goto done;
    if ((*status = marl_config_create(host, component, &config)) != MARL_OK) goto done;
    kit_set(config, KIT_SMALL);
    kit_set(config, settings);
    if ((*status = marl_trainer_create(device, config, NULL, &t)) != MARL_OK) goto done;
    if ((*status = marl_trainer_run(t, 150)) != MARL_OK) goto done;
    if ((*status = marl_trainer_save(t, &sink)) != MARL_OK) goto done;
    if (older->count > 0 && (*status = marl_trainer_load(t, &source)) != MARL_OK) goto done;
    *status = marl_trainer_evaluate(t, 3, 1, 0, returns);
done:
    marl_trainer_destroy(t);
    marl_config_destroy(config);
    marl_config_destroy(device_config);
    marl_device_close(device);
}

static void check_failing_memory(const char *component, const char *settings) {
    kit_bytes older;
    errand first = {0};
    uint64_t fail_at = 1;

    run_errand(NULL, component, settings, &(kit_bytes){0}, &first);
    ck_assert_int_eq(first.status, MARL_OK);
    older = first.saved;
    for (;; fail_at++) {
        marl__test_memory memory = {.fail_at = fail_at, .fail_from_there = fail_at % 2 == 0};
        errand own = {0};
        marl_host host;

        marl__test_host(&memory, &host);
        run_errand(&host, component, settings, &older, &own);
        kit_free(&own.saved);
        ck_assert_msg(memory.live_blocks == 0, "%llu blocks left after failing at %llu",
                      (unsigned long long)memory.live_blocks, (unsigned long long)fail_at);
        ck_assert_uint_eq(memory.faults, 0);
        if (memory.calls < fail_at) {
            ck_assert_int_eq(own.status, MARL_OK);
            break;
        }
        ck_assert_msg(own.status == MARL_E_NOMEM, "failing at %llu: %s", (unsigned long long)fail_at,
                      marl_status_name(own.status));
    }
    ck_assert_uint_gt(fail_at, 100);
    kit_free(&older);
}

START_TEST(memory_may_fail_anywhere) {
    check_failing_memory("run/qmix/matrix:two_step", "replay.store=f16");
    check_failing_memory("run/iql/lbf:5x5-2p-1f-coop", "replay.store=state");
    check_failing_memory("run/qplex/matrix:two_step", "");
    check_failing_memory("run/qtran/matrix:two_step", "");
}
END_TEST

/* ---- the directory ---- */

static char dir[64];

static void make_dir(void) {
    snprintf(dir, sizeof dir, "build/tests-run-%ld", (long)getpid());
    mkdir("build", 0777);
}

static void remove_dir(void) {
    static const char *const names[] = {"checkpoint.safetensors", "policy.safetensors", "policy-best.safetensors",
                                        "metrics.jsonl", "metrics.csv", "config.json", "checkpoint.safetensors.tmp"};
    char path[160];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

static kit_bytes file_bytes(const char *name) {
    char path[160];
    kit_bytes bytes = {0};
    unsigned char buffer[4096];
    size_t got;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "rb");
    if (!file) return bytes;
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0) kit_write(buffer, got, &bytes);
    fclose(file);
    return bytes;
}

static void check_same_file(const char *name, const kit_bytes *wanted) {
    kit_bytes now = file_bytes(name);

    ck_assert_msg(wanted->count > 0 && kit_equal(&now, wanted), "%s differs", name);
    kit_free(&now);
}

static marl_trainer *open_run(marl_device *device, int resume, const char *settings) {
    marl_trainer *t = kit_trainer(device, foraging, settings, NULL);

    ck_ok(marl_trainer_open_dir(t, dir, resume));
    return t;
}

/* Stopped between checkpoints and gone on with from the last one: every file ends as if nothing had happened. */
START_TEST(a_directory_is_gone_on_with) {
    static const char settings[] = "checkpoint.every=300 metrics.every=100 eval.every=200";
    static const char *const names[] = {"checkpoint.safetensors", "policy.safetensors", "policy-best.safetensors",
                                        "metrics.jsonl", "metrics.csv", "config.json"};
    marl_device *device = kit_device(NULL, 2);
    kit_bytes whole[6], old, changed;
    marl_trainer *t = open_run(device, 0, settings);
    char path[160];

    ck_ok(marl_trainer_run(t, 1000));
    marl_trainer_destroy(t);
    for (int i = 0; i < 6; i++) whole[i] = file_bytes(names[i]);
    remove_dir();

    t = open_run(device, 0, settings);
    ck_ok(marl_trainer_run(t, 450));
    old = file_bytes("checkpoint.safetensors");
    ck_ok(marl_trainer_run(t, 790));
    marl_trainer_destroy(t);
    /* As if killed after 790 with the checkpoint of 450 on disk: the metrics are ahead of it. */
    snprintf(path, sizeof path, "%s/checkpoint.safetensors", dir);
    FILE *file = fopen(path, "wb");
    ck_assert_uint_eq(fwrite(old.data, 1, old.count, file), old.count);
    fclose(file);
    t = open_run(device, 1, settings);
    ck_assert_uint_eq(t->state.steps, 450);
    changed = file_bytes("metrics.csv");
    ck_assert_uint_lt(changed.count, whole[4].count);
    ck_ok(marl_trainer_run(t, 1000));
    marl_trainer_destroy(t);
    for (int i = 0; i < 6; i++) {
        check_same_file(names[i], &whole[i]);
        kit_free(&whole[i]);
    }
    kit_free(&old);
    kit_free(&changed);
    remove_dir();
    marl_device_close(device);
}
END_TEST

START_TEST(a_directory_knows_its_config) {
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = open_run(device, 0, "seed=41 net.hidden_dim=12");
    marl_config *config = NULL;
    int64_t seed = 0, width = 0;

    ck_ok(marl_trainer_dir_config(NULL, dir, &config));
    ck_assert_str_eq(marl_config_component(config), foraging);
    ck_ok(marl_config_get_int(config, "seed", &seed));
    ck_ok(marl_config_get_int(config, "net.hidden_dim", &width));
    ck_assert_int_eq(seed, 41);
    ck_assert_int_eq(width, 12);
    ck_assert_int_eq(marl_trainer_open_dir(t, dir, 0), MARL_E_STATE);
    marl_trainer_destroy(t);
    t = NULL;
    ck_ok(marl_trainer_create(device, config, NULL, &t));
    ck_ok(marl_trainer_open_dir(t, dir, 1));
    marl_trainer_destroy(t);
    marl_config_destroy(config);
    remove_dir();
    ck_assert_int_eq(marl_trainer_dir_config(NULL, dir, &config), MARL_E_IO);
    ck_assert_ptr_null(config);
    marl_device_close(device);
}
END_TEST

typedef struct full_disk {
    const char *call;
    int after, error;
} full_disk;

static int refuse(const char *name, void *user) {
    full_disk *disk = user;

    if (strcmp(name, disk->call) != 0) return 0;
    return disk->after-- > 0 ? 0 : disk->error;
}

/* Every call that can fail while a checkpoint is written, once. */
START_TEST(a_full_disk_leaves_the_checkpoint_before) {
    static const struct {
        const char *call;
        int error;
    } faults[] = {{"write", ENOSPC}, {"write", -1}, {"fsync", EIO}, {"open", EACCES}, {"rename", EIO}};
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = open_run(device, 0, "checkpoint.every=0 metrics.every=0 eval.every=0");
    kit_bytes before;
    int failures = 0;

    ck_ok(marl_trainer_run(t, 300));
    before = file_bytes("checkpoint.safetensors");
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        for (int after = 0; after < 6; after++) {
            full_disk disk = {faults[i].call, after, faults[i].error};
            char path[160];
            marl_sink sink;
            marl_status status;

            snprintf(path, sizeof path, "%s/checkpoint.safetensors", dir);
            marl_sink_init(&sink, sizeof sink);
            sink.path = path;
            marl__file_set_fault(refuse, &disk);
            status = marl_trainer_save(t, &sink);
            marl__file_set_fault(NULL, NULL);
            if (status != MARL_OK) failures++;
            check_same_file("checkpoint.safetensors", &before);
            ck_assert(status == MARL_OK || status == MARL_E_IO);
        }
    }
    ck_assert_int_gt(failures, 6);
    /* In a run the failure is reported, the run stands, and goes on when there is room again. */
    full_disk disk = {"write", 1, ENOSPC};
    marl__file_set_fault(refuse, &disk);
    ck_assert_int_eq(marl_trainer_run(t, 600), MARL_E_IO);
    marl__file_set_fault(NULL, NULL);
    check_same_file("checkpoint.safetensors", &before);
    ck_ok(marl_trainer_run(t, 603));
    marl_trainer_destroy(t);
    t = open_run(device, 1, "checkpoint.every=0 metrics.every=0 eval.every=0");
    ck_assert_uint_eq(t->state.steps, 603);
    marl_trainer_destroy(t);
    kit_free(&before);
    remove_dir();
    marl_device_close(device);
}
END_TEST

/* A broken environment ends the run, and what was learnt is in the directory. */
START_TEST(a_failed_run_is_kept) {
    kit_trouble trouble = {.kind = KIT_NAN_REWARD, .after = 300, .index = 0, .has_save = 1, .text = ""};
    marl_env_vtable vtable;
    marl_env_type type = kit_env_type(&trouble, &vtable);
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = kit_trainer(device, "run/vdn", "checkpoint.every=0 eval.every=0", &type);
    uint64_t steps, updates;

    ck_ok(marl_trainer_open_dir(t, dir, 0));
    ck_assert_int_eq(marl_trainer_run(t, 5000), MARL_E_NOT_FINITE);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "environment 0, step 4: the team's reward is nan"));
    steps = t->state.steps;
    updates = t->state.updates;
    ck_assert_uint_gt(updates, 10);
    marl_trainer_destroy(t);
    trouble.kind = KIT_FINE;
    t = kit_trainer(device, "run/vdn", "checkpoint.every=0 eval.every=0", &type);
    ck_ok(marl_trainer_open_dir(t, dir, 1));
    ck_assert_uint_eq(t->state.steps, steps);
    ck_assert_uint_eq(t->state.updates, updates);
    ck_ok(marl_trainer_run(t, 1200));
    marl_trainer_destroy(t);
    remove_dir();
    marl_device_close(device);
}
END_TEST

Suite *marl__suite_run_checkpoint(void) {
    Suite *suite = suite_create("checkpoint");
    TCase *tcase = tcase_create("checkpoint");

    make_dir();
    tcase_add_test(tcase, checkpoints_of_other_runs_are_refused);
    tcase_add_test(tcase, settings_of_watching_may_differ);
    tcase_add_test(tcase, damaged_checkpoints_are_refused);
    tcase_add_test(tcase, forged_checkpoints_are_refused);
    tcase_add_test(tcase, forged_stores_are_refused);
    tcase_add_test(tcase, a_forged_length_is_found_in_time);
    tcase_add_test(tcase, without_the_replay_a_run_goes_on);
    tcase_add_test(tcase, memory_may_fail_anywhere);
    tcase_add_test(tcase, a_directory_is_gone_on_with);
    tcase_add_test(tcase, a_directory_knows_its_config);
    tcase_add_test(tcase, a_full_disk_leaves_the_checkpoint_before);
    tcase_add_test(tcase, a_failed_run_is_kept);
    suite_add_tcase(suite, tcase);
    return suite;
}
