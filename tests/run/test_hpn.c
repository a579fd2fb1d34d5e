/* SPDX-License-Identifier: Apache-2.0 */
/* Teams that look at entities, from environment to policy: they learn an environment of the host's whose actions aim
 * at entities, go on from a checkpoint as if never stopped, do not depend on threads, and play with other numbers of
 * agents and entities than they were trained with. Entities of specs, and of hostile policy files. */
#include "core/base/alloc.h"
#include "core/base/status.h"
#include "run/entities_file.h"
#include "run/team.h"
#include "support/support.h"
#include "trainer_kit.h"

Suite *marl__suite_run_hpn(void);

/* ---- an environment: of M enemies one is marked; a hit is worth 1/N; two steps an episode ---- */

enum { MOST_ENEMIES = 8, STEPS = 2 };

typedef struct duel {
    uint32_t agents, enemies;
    uint64_t random;
    int32_t marked, at;
    marl_agent_class agent_class;
    marl_entity_group group;
    marl_action_target target;
} duel;

typedef struct duel_size {
    uint32_t agents, enemies;
} duel_size;

static marl_status duel_create(void *user, uint32_t index, void **env) {
    duel *self = calloc(1, sizeof *self);
    const duel_size *size = user;

    (void)index;
    self->agents = size->agents;
    self->enemies = size->enemies;
    *env = self;
    return MARL_OK;
}

static marl_status duel_spec(void *env, marl_env_spec *out) {
    duel *self = env;

    self->group = (marl_entity_group){"enemy", MARL_ROLE_ENEMY, 1, self->enemies, 2};
    self->target = (marl_action_target){.first_action = 1, .count = self->enemies, .group = 0};
    marl_agent_class_init(&self->agent_class, sizeof self->agent_class);
    self->agent_class.obs_shape[0] = 1 + 2 * self->enemies;
    self->agent_class.action_count = 1 + self->enemies;
    self->agent_class.entity_groups = &self->group;
    self->agent_class.entity_group_count = 1;
    self->agent_class.action_targets = &self->target;
    self->agent_class.action_target_count = 1;
    out->agent_count = self->agents;
    out->name = "test:duel";
    out->version = "1";
    out->hash = self->agents * 100 + self->enemies;
    out->class_count = 1;
    out->classes = &self->agent_class;
    out->state_size = 1;
    out->episode_limit = STEPS;
    return MARL_OK;
}

static void mark(duel *self) {
    self->random = self->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    self->marked = (int32_t)((self->random >> 33) % self->enemies);
}

static marl_status duel_reset(void *env, uint64_t seed) {
    duel *self = env;

    self->random = seed;
    self->at = 0;
    mark(self);
    return MARL_OK;
}

static marl_status duel_step(void *env, const marl_actions *actions, marl_step *out) {
    duel *self = env;

    out->rewards[0] = 0;
    for (uint32_t i = 0; i < self->agents; i++)
        if (actions->discrete[i] == 1 + self->marked) out->rewards[0] += 1.0 / self->agents;
    out->terminated = ++self->at == STEPS;
    mark(self);
    return MARL_OK;
}

static marl_status duel_observe(void *env, const marl_view *out) {
    duel *self = env;
    uint32_t width = 1 + 2 * self->enemies;

    for (uint32_t i = 0; out->obs && i < self->agents; i++) {
        out->obs[i * width] = (float)self->at;
        for (uint32_t e = 0; e < self->enemies; e++) {
            out->obs[i * width + 1 + 2 * e] = e == (uint32_t)self->marked;
            out->obs[i * width + 2 + 2 * e] = 0.5f;
        }
    }
    if (out->state) out->state[0] = (float)self->at;
    return MARL_OK;
}

static size_t duel_save_bytes(void *env) {
    (void)env;
    return 3 * sizeof(uint64_t);
}

static marl_status duel_save(void *env, void *bytes) {
    const duel *self = env;
    const uint64_t values[] = {self->random, (uint64_t)self->marked, (uint64_t)self->at};

    memcpy(bytes, values, sizeof values);
    return MARL_OK;
}

static marl_status duel_restore(void *env, const void *bytes, size_t count) {
    duel *self = env;
    uint64_t values[3];

    if (count != sizeof values) return -1;
    memcpy(values, bytes, sizeof values);
    self->random = values[0];
    self->marked = (int32_t)values[1];
    self->at = (int32_t)values[2];
    return MARL_OK;
}

static marl_env_type duel_type(duel_size *size, marl_env_vtable *vtable) {
    marl_env_type type;

    marl_env_vtable_init(vtable, sizeof *vtable);
    vtable->spec = duel_spec;
    vtable->reset = duel_reset;
    vtable->step = duel_step;
    vtable->observe = duel_observe;
    vtable->save_bytes = duel_save_bytes;
    vtable->save = duel_save;
    vtable->restore = duel_restore;
    vtable->destroy = free;
    marl_env_type_init(&type, sizeof type);
    type.create = duel_create;
    type.vtable = vtable;
    type.user = size;
    return type;
}

static duel_size three_on_four = {3, 4};
#define SMALL "net.hyper_dim=8 shards.rows=4 envs=4 "

static marl_trainer *duel_trainer(marl_device *device, const char *algo, const char *settings) {
    static marl_env_vtable vtable; /* copied by the trainer */
    marl_env_type type = duel_type(&three_on_four, &vtable);
    char component[48];

    snprintf(component, sizeof component, "run/%s", algo);
    return kit_trainer(device, component, settings, &type);
}

static const marl_env_spec *open_duel(duel_size *size, marl_env **out) {
    static marl_env_vtable vtable;
    marl_env_type type = duel_type(size, &vtable);

    ck_ok(marl_env_create_custom(NULL, &type, 0, out));
    return marl_env_get_spec(*out);
}

/* ---- playing ---- */

/* Mean return of a policy, greedy, over some episodes; nothing may be allocated while it plays. */
static double played(const marl_policy *policy, marl_env *env) {
    enum { EPISODES = 100 };
    const marl_env_spec *spec = marl_env_get_spec(env);
    int32_t actions[8];
    float obs[8 * (1 + 2 * MOST_ENEMIES)];
    double sum = 0, reward = 0;
    uint64_t allocations = 0;
    marl_policy_state *state = NULL;
    marl_view view = {.struct_size = sizeof view, .obs = obs};
    marl_actions joint = {.struct_size = sizeof joint, .discrete = actions};
    marl_step step = {.struct_size = sizeof step, .rewards = &reward};

    ck_assert_uint_le(spec->agent_count, 8);
    ck_ok(marl_policy_state_create(policy, 1, 3, &state));
    for (uint64_t seed = 0; seed < EPISODES; seed++) {
        ck_ok(marl_env_reset(env, seed));
        ck_ok(marl_policy_state_reset(state, 0));
        for (step.terminated = 0; !step.terminated; sum += reward) {
            ck_ok(marl_env_observe(env, &view));
            marl__malloc_count_start(); /* Check's own assertions allocate, so they come after */
            marl_status status = marl_policy_act(policy, state, obs, NULL, NULL, actions);
            allocations += marl__malloc_count_stop();
            ck_ok(status);
            ck_ok(marl_env_step(env, &joint, &step));
        }
    }
    ck_assert_uint_eq(allocations, 0);
    marl_policy_state_destroy(state);
    return sum / EPISODES;
}

static kit_bytes policy_of(marl_trainer *trainer) {
    kit_bytes bytes;
    marl_sink sink = kit_sink(&bytes);

    ck_ok(marl_trainer_save_policy(trainer, &sink));
    return bytes;
}

static void assert_unfit(marl_device *device, const kit_bytes *bytes, const marl_env_spec *spec, const char *advice) {
    marl_source source = kit_source(bytes);
    marl_policy *policy = NULL;

    ck_assert_int_eq(marl_policy_load(device, &source, spec, &policy), MARL_E_MISMATCH);
    ck_assert_msg(strstr(marl_last_error(), advice) != NULL, "\"%s\" does not advise %s", marl_last_error(), advice);
    ck_assert_ptr_null(policy);
}

/* Learnt with 3 agents on 4 enemies; played so, and with 5 agents on 7 enemies, nearly without a fault. */
START_TEST(learns_and_plays_with_other_numbers) {
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = duel_trainer(device, "hpn_qmix", SMALL "agent_id=none last_action=0 lr=0.005 epsilon_anneal=800 "
                                   "updates_per_env_step=0.2 batch_size=16 replay.episodes=500 eval.every=0");
    duel_size many = {5, 7};
    marl_env *own = NULL, *other = NULL;
    marl_policy *policy = NULL;
    kit_bytes bytes, again;

    open_duel(&three_on_four, &own);
    open_duel(&many, &other);
    ck_ok(marl_trainer_run(t, 1600));
    bytes = policy_of(t);
    marl_source source = kit_source(&bytes);
    ck_ok(marl_policy_load(device, &source, NULL, &policy)); /* the file says what entities there were */
    ck_assert_double_ge(played(policy, own), 0.95 * STEPS);
    marl_sink sink = kit_sink(&again);
    ck_ok(marl_policy_save(policy, &sink));
    ck_assert(kit_equal(&bytes, &again));
    kit_free(&again);
    marl_policy_destroy(policy);
    source = kit_source(&bytes);
    ck_ok(marl_policy_load(device, &source, marl_env_get_spec(other), &policy));
    ck_assert_uint_eq(marl_policy_action_count(policy), 8);
    ck_assert_double_ge(played(policy, other), 0.95 * STEPS);
    marl_policy_destroy(policy);
    kit_free(&bytes);
    marl_trainer_destroy(t);
    marl_env_destroy(own);
    marl_env_destroy(other);
    marl_device_close(device);
}
END_TEST

START_TEST(what_ties_to_numbers_is_refused) {
    static const struct { const char *settings, *advice; } cases[] = {
        {"agent_id=onehot last_action=0", "agent_id=none"},
        {"agent_id=none last_action=1", "last_action=false"},
        {"agent_id=none last_action=0 scale_obs=1", "scale_obs=false"},
        {"share=separate last_action=0", "share=shared"},
    };
    marl_device *device = kit_device(NULL, 1);
    duel_size many = {4, 6};
    marl_env *other = NULL;
    const marl_env_spec *spec = open_duel(&many, &other);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char settings[128];
        snprintf(settings, sizeof settings, SMALL "%s", cases[i].settings);
        marl_trainer *t = duel_trainer(device, "hpn_vdn", settings);
        kit_bytes bytes = policy_of(t);
        assert_unfit(device, &bytes, spec, cases[i].advice);
        kit_free(&bytes);
        marl_trainer_destroy(t);
    }
    marl_env_destroy(other);
    marl_device_close(device);
}
END_TEST

/* Foraging names its players and foods: a team plays with other numbers of both. */
START_TEST(foraging_with_other_numbers) {
    marl_device *device = kit_device(NULL, 1);
    marl_trainer *t = kit_trainer(device, "run/hpn_vdn/lbf:5x5-2p-1f-coop", SMALL "agent_id=none", NULL);
    marl_policy *policy = NULL;
    marl_env *env = NULL;

    ck_ok(marl_trainer_run(t, 300));
    kit_bytes bytes = policy_of(t);
    ck_ok(marl_env_create(NULL, "lbf:8x8-4p-3f", NULL, &env));
    marl_source source = kit_source(&bytes);
    ck_ok(marl_policy_load(device, &source, marl_env_get_spec(env), &policy));
    ck_assert_uint_eq(marl_policy_agent_count(policy), 4);
    ck_assert_uint_eq(marl_policy_obs_size(policy), marl_env_obs_size(env));
    marl_policy_destroy(policy);
    kit_free(&bytes);
    marl_trainer_destroy(t);
    marl_env_destroy(env);
    marl_device_close(device);
}
END_TEST

/* ---- contracts ---- */

START_TEST(same_bits_stopped_or_in_threads) {
    static const char *const algos[] = {"hpn_vdn", "hpn_qmix", "hpn_qplex"};
    static const char *const settings[] = {
        SMALL "net.heads=2 agent_id=onehot last_action=1", SMALL "share=separate net=hpn",
        SMALL "net.hpn_layout=separate net.hyper_activation=tanh lr_decay=linear horizon=700",
    };
    const char *algo = algos[_i], *words = settings[_i];
    marl_device *device = kit_device(NULL, 1), *pool = kit_device(NULL, 3);
    marl_trainer *whole = duel_trainer(device, algo, words), *half = duel_trainer(device, algo, words);
    marl_trainer *rest = duel_trainer(device, algo, words), *threads = duel_trainer(pool, algo, words);
    ck_ok(marl_trainer_run(whole, 700));
    ck_ok(marl_trainer_run(threads, 700));
    ck_ok(marl_trainer_run(half, 300));
    kit_bytes end = kit_checkpoint(whole), middle = kit_checkpoint(half);
    marl_source source = kit_source(&middle);
    ck_ok(marl_trainer_load(rest, &source));
    ck_ok(marl_trainer_run(rest, 700));
    ck_assert(kit_stands_at(rest, &end));
    ck_assert(kit_stands_at(threads, &end));
    ck_assert(!kit_equal(&middle, &end));
    kit_free(&end);
    kit_free(&middle);
    marl_trainer_destroy(whole);
    marl_trainer_destroy(half);
    marl_trainer_destroy(rest);
    marl_trainer_destroy(threads);
    marl_device_close(device);
    marl_device_close(pool);
}
END_TEST

START_TEST(environments_without_entities) {
    marl_device *device = kit_device(NULL, 1);
    marl_config *config = kit_config("run/hpn_qmix/matrix:climbing", "");
    marl_trainer *trainer = NULL;

    ck_assert_int_eq(marl_trainer_create(device, config, NULL, &trainer), MARL_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "matrix:climbing"));
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "net=gru"));
    marl_config_destroy(config);
    marl_device_close(device);
}
END_TEST

/* ---- the public net ---- */

START_TEST(public_net) {
    marl_device *device = kit_device(NULL, 1);
    marl_config *config = NULL;
    marl_net *net = NULL;
    marl_env *env = NULL;
    const marl_env_spec *spec = open_duel(&three_on_four, &env);
    float inputs[2 * 9] = {0}, hidden[2 * 64] = {0}, outputs[2 * 5];

    ck_ok(marl_config_create(NULL, "net/hpn_gru", &config));
    ck_assert_int_eq(marl_net_create(device, config, 9, 5, 2, &net), MARL_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "marl_net_create_for"));
    ck_ok(marl_net_create_for(device, config, spec, 2, &net));
    ck_assert_uint_eq(marl_net_hidden_size(net), 64);
    inputs[9 + 1] = 1.0f; /* row 1: the first enemy is marked */
    ck_ok(marl_net_forward(net, 2, inputs, hidden, hidden, outputs));
    ck_assert_float_eq(outputs[1], outputs[4]); /* row 0: enemies are alike */
    ck_assert_float_ne(outputs[5 + 1], outputs[5 + 4]);
    ck_assert_float_eq(outputs[5 + 2], outputs[5 + 4]);
    marl_net_destroy(net);
    marl_config_destroy(config);
    ck_ok(marl_config_create(NULL, "net/mlp", &config));
    ck_ok(marl_net_create_for(device, config, spec, 2, &net)); /* 9 inputs, 5 outputs */
    ck_ok(marl_net_forward(net, 2, inputs, NULL, NULL, outputs));
    marl_net_destroy(net);
    marl_config_destroy(config);
    marl_env_destroy(env);
    marl_device_close(device);
}
END_TEST

/* ---- specs ---- */

typedef struct mixed_team {
    marl_env_spec spec;
    marl_agent_class classes[2];
    marl_entity_group groups[2][2];
    marl_action_target targets[2];
    uint32_t of_agent[3];
} mixed_team;

/* A medic between two fighters. */
static void make_mixed(mixed_team *m) {
    memset(m, 0, sizeof *m);
    marl_env_spec_init(&m->spec, sizeof m->spec);
    for (int i = 0; i < 2; i++) {
        m->groups[i][0] = (marl_entity_group){"enemy", MARL_ROLE_ENEMY, 2, 3, 2};
        m->groups[i][1] = (marl_entity_group){"ally", MARL_ROLE_ALLY, 8, 2, 2};
        marl_agent_class_init(&m->classes[i], sizeof m->classes[i]);
        m->classes[i].obs_shape[0] = 12;
        m->classes[i].entity_groups = m->groups[i];
        m->classes[i].entity_group_count = 2;
        m->classes[i].action_targets = &m->targets[i];
        m->classes[i].action_target_count = 1;
    }
    m->classes[0].action_count = 5;
    m->classes[1].action_count = 4;
    m->targets[0] = (marl_action_target){.first_action = 2, .count = 3, .group = 0};
    m->targets[1] = (marl_action_target){.first_action = 2, .count = 2, .group = 1};
    m->of_agent[1] = 1;
    m->spec.name = "test:mixed";
    m->spec.version = "1";
    m->spec.agent_count = 3;
    m->spec.class_count = 2;
    m->spec.classes = m->classes;
    m->spec.agent_class = m->of_agent;
    m->spec.episode_limit = 5;
}

START_TEST(entities_of_a_spec) {
    marl__entities e;
    mixed_team m;

    make_mixed(&m);
    marl__team_entities(&m.spec, &e);
    ck_assert_ptr_null(e.fault);
    ck_assert_str_eq(e.env, "test:mixed");
    ck_assert_int_eq(e.group_count, 2);
    ck_assert_int_eq(e.groups[1].offset, 8);
    ck_assert_int_eq(e.class_count, 2);
    ck_assert_int_eq(e.classes[1].actions, 4);
    ck_assert_int_eq(e.classes[1].targets[0].group, 1);
    ck_assert_int_eq(e.run_count, 3);
    for (int32_t i = 0; i < 3; i++) ck_assert_int_eq(marl__entity_class_of(&e, i), i == 1);
    m.groups[1][1].offset = 6;
    m.groups[1][0].offset = 0;
    marl__team_entities(&m.spec, &e);
    ck_assert_ptr_nonnull(strstr(e.fault, "different places"));
    make_mixed(&m);
    m.groups[0][1].offset = m.groups[1][1].offset = 7;
    marl__team_entities(&m.spec, &e);
    ck_assert_ptr_nonnull(strstr(e.fault, "share numbers"));
}
END_TEST

/* A net on this team takes rows of whole teams, and the medic's last action has no value. */
START_TEST(public_net_of_two_classes) {
    marl_device *device = kit_device(NULL, 1);
    marl_config *config = NULL;
    marl_net *net = NULL;
    mixed_team m;
    float inputs[3 * 12], outputs[3 * 5];

    make_mixed(&m);
    for (int i = 0; i < 36; i++) inputs[i] = 0.1f * (float)(i % 7);
    ck_ok(marl_config_create(NULL, "net/hpn", &config));
    ck_assert_int_eq(marl_net_create_for(device, config, &m.spec, 2, &net), MARL_E_ARGUMENT);
    ck_ok(marl_net_create_for(device, config, &m.spec, 6, &net));
    ck_assert_int_eq(marl_net_forward(net, 2, inputs, NULL, NULL, outputs), MARL_E_SHAPE);
    ck_ok(marl_net_forward(net, 3, inputs, NULL, NULL, outputs));
    ck_assert_float_eq(outputs[5 + 4], 0.0f);
    ck_assert_float_ne(outputs[5 + 3], 0.0f);
    ck_assert_float_ne(outputs[4], 0.0f);
    marl_net_destroy(net);
    marl_config_destroy(config);
    marl_device_close(device);
}
END_TEST

/* ---- files ---- */

START_TEST(hostile_entities) {
    static const struct { const char *text, *words; } cases[] = {
        {"[]", "no object"},
        {"{}", "a list is missing"},
        {"{\"groups\":[[2,1,3]],\"classes\":[],\"runs\":[]}", "another length"},
        {"{\"groups\":[[2,1,3,-1]],\"classes\":[],\"runs\":[]}", "below 0"},
        {"{\"groups\":[[4,1,3,2]],\"classes\":[],\"runs\":[]}", "no known role"},
        {"{\"groups\":[[2,4,3,2]],\"classes\":[],\"runs\":[]}", "not lie in the observation"},
        {"{\"groups\":[[2,0,1073741824,1073741824]],\"classes\":[],\"runs\":[]}", "not lie in the observation"},
        {"{\"groups\":[[2,0,3,2],[1,5,1,1]],\"classes\":[],\"runs\":[]}", "share numbers"},
        {"{\"groups\":[[2,0,1,1],[2,0,1,1],[2,0,1,1],[2,0,1,1],[2,0,1,1],[2,0,1,1],[2,0,1,1],[2,0,1,1],[2,0,1,1]]}",
         "too long"},
        {"{\"groups\":[[2,1,3,2]],\"runs\":[]}", "classes are missing"},
        {"{\"groups\":[[2,1,3,2]],\"classes\":[{\"actions\":6,\"targets\":[]}],\"runs\":[]}", "more actions"},
        {"{\"groups\":[[2,1,3,2]],\"classes\":[{\"actions\":4,\"targets\":[]}],\"runs\":[]}", "no class has all"},
        {"{\"groups\":[[2,1,3,2]],\"classes\":[{\"actions\":5,\"targets\":[[2,4,0,0]]}],\"runs\":[]}", "no entity"},
        {"{\"groups\":[[2,1,3,2]],\"classes\":[{\"actions\":5,\"targets\":[[2,3,1,0]]}],\"runs\":[]}", "no entity"},
        {"{\"groups\":[[2,1,3,2]],\"classes\":[{\"actions\":5,\"targets\":[[2,3,0,1]]}],\"runs\":[]}", "no entity"},
        {"{\"groups\":[[2,1,3,2]],\"classes\":[{\"actions\":5,\"targets\":[]}],\"runs\":[]}", "no agent has"},
        {"{\"groups\":[[2,1,3,2]],\"classes\":[{\"actions\":5,\"targets\":[]}],\"runs\":[[0,1]]}", "no class"},
        {"{\"groups\":[[2,1,3,2]],\"classes\":[{\"actions\":5,\"targets\":[]}],\"runs\":[[1,0]]}", "out of order"},
        {"{\"groups\":[[2,1,3,2]],\"classes\":[{\"actions\":5,\"targets\":[]}],\"runs\":[[0,0],[2,0]]}",
         "out of order"},
        {"{\"groups\":[[2,1,3,2]],\"classes\":[{\"actions\":5,\"targets\":[[2,3,0,0]]}],\"runs\":[[0,0],[1,0]]}", ""},
    };
    const marl__team_shape shape = {.agents = 2, .obs = 7, .actions = 5};
    marl__heap heap;

    ck_ok(marl__heap_init(&heap, NULL));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        marl__json *json = NULL;
        marl__entities entities;
        ck_ok(marl__json_parse(&heap, cases[i].text, strlen(cases[i].text), "a test", &json));
        marl_status status = marl__entities_read(json, 0, &shape, &entities);
        ck_assert_int_eq(status, cases[i].words[0] ? MARL_E_FORMAT : MARL_OK);
        if (status != MARL_OK)
            ck_assert_msg(strstr(marl_last_error(), cases[i].words) != NULL, "%s: %s", cases[i].text,
                          marl_last_error());
        marl__json_destroy(json);
    }
}
END_TEST

/* ---- presets ---- */

START_TEST(presets_of_maps) {
    marl_config *config = NULL;

    ck_ok(marl_config_create(NULL, "run/hpn_qmix/lbf:5x5-2p-1f-coop", &config));
    ck_ok(marl_config_preset(config, "pymarl3"));
    double lambda = 0;
    int64_t envs = 0;
    ck_ok(marl_config_get_real(config, "td_lambda", &lambda));
    ck_assert_double_eq(lambda, 0.6);
    ck_ok(marl_config_get_int(config, "envs", &envs));
    ck_assert_int_eq(envs, 8);
    marl_config_destroy(config);
}
END_TEST

Suite *marl__suite_run_hpn(void) {
    Suite *suite = suite_create("run/hpn");
    TCase *tcase = tcase_create("hpn");
    tcase_add_test(tcase, learns_and_plays_with_other_numbers);
    tcase_add_test(tcase, what_ties_to_numbers_is_refused);
    tcase_add_test(tcase, foraging_with_other_numbers);
    tcase_add_loop_test(tcase, same_bits_stopped_or_in_threads, 0, 3);
    tcase_add_test(tcase, environments_without_entities);
    tcase_add_test(tcase, public_net);
    tcase_add_test(tcase, entities_of_a_spec);
    tcase_add_test(tcase, public_net_of_two_classes);
    tcase_add_test(tcase, hostile_entities);
    tcase_add_test(tcase, presets_of_maps);
    suite_add_tcase(suite, tcase);
    return suite;
}
