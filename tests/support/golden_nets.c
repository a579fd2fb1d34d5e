/* SPDX-License-Identifier: Apache-2.0 */
/* Families of single nets and of targets: a graph is built by our recipes, its gradient seeded with the recorded loss
 * weights, run once and compared. Rows: B batch, T slots, N agents; recorded arrays are (B, T, N, columns), ours packed
 * (t, b, agent). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config/config.h"
#include "support/golden_rig.h"

/* Parameter of ours for "net.mlp.4.weight": the numbers count the places of a stack in which activations have none, so
 * the nth number in use is the nth layer. */
static void layer_name(rig *r, const char *recorded, char *out, size_t bytes) {
    int place = atoi(recorded + strlen("net.mlp.")), layer = 1, before = -1;
    for (int32_t i = 0; marl__golden_array(r->golden, i); i++) {
        int other = -1;
        if (sscanf(marl__golden_array(r->golden, i), "param.net.mlp.%d.weight", &other) != 1) continue;
        if (other < place && other > before) layer++;
        if (other > before) before = other;
    }
    snprintf(out, bytes, "fc%d%s", layer, strrchr(recorded, '.'));
}

/* Our parameter that an array belongs to, "param." or "grad." before its name; *first: of its numbers the array's. */
static const marl__param *find_param(rig *r, const char *array, size_t *count, size_t *first) {
    char name[128];
    const char *recorded = strchr(array, '.') + 1;
    int32_t is_target = 0;
    *count = marl__golden_count(r->golden, array);
    if (!strcmp(marl_config_component(r->config), "net/base")) {
        marl__golden_base_name(r->golden, "param.net.", recorded + strlen("net."), name, sizeof name);
        recorded = name;
    } else if (!strncmp(recorded, "net.mlp.", 8)) {
        layer_name(r, recorded, name, sizeof name);
        recorded = name;
    }
    int32_t index = marl__golden_find_param(r->golden, r->params, recorded, *count, &is_target, first);
    return index < 0 ? NULL : &r->params->list[index];
}

/* A parameter the published net holds and never uses has no recorded gradient. */
static int is_unused(rig *r, const char *recorded) {
    char gradient[160];
    snprintf(gradient, sizeof gradient, "grad.%s", recorded);
    return marl__golden_count(r->golden, gradient) == 0;
}

/* Values of all parameters; a number that the file lacks is a fault. */
static void read_params(rig *r) {
    size_t set = 0, all = 0;
    for (int32_t i = 0; marl__golden_array(r->golden, i) && !r->golden->fault[0]; i++) {
        const char *array = marl__golden_array(r->golden, i);
        size_t count = 0, first = 0;
        if (strncmp(array, "param.", 6) || is_unused(r, array + 6)) continue;
        const marl__param *param = find_param(r, array, &count, &first);
        const float *from = param ? marl__golden_floats(r->golden, array, count) : NULL;
        if (from) memcpy(r->version.flat + param->offset + first, from, count * sizeof *from);
        set += count;
    }
    for (int32_t i = 0; i < r->params->count; i++) all += r->params->list[i].count;
    if (set + r->unset != all)
        marl__golden_fault(r->golden, "%zu numbers of parameters recorded, the net has %zu", set, all - r->unset);
}

static void compare_gradients(rig *r) {
    for (int32_t i = 0; marl__golden_array(r->golden, i) && !r->golden->fault[0]; i++) {
        const char *array = marl__golden_array(r->golden, i);
        size_t count = 0, first = 0;
        if (strncmp(array, "grad.", 5)) continue;
        const marl__param *param = find_param(r, array, &count, &first);
        if (param)
            marl__golden_compare_floats(r->golden, array, r->gradient + param->offset + first, count);
    }
}

/* ---- mlp ---- */

const char *marl__golden_mlp_skip(const marl__golden *golden) {
    const char *kinds[] = {"activation", "final_activation"};
    for (int i = 0; i < 2; i++)
        if (marl__activation_find(marl__golden_word(golden, kinds[i], "identity")) < 0)
            return "an activation that is not built";
    double slope = marl__golden_real(golden, "leaky_relu_slope", 0.01);
    return slope > 0.0099999 && slope < 0.0100001 ? NULL : "leaky_relu is built with slope 0.01 only";
}

/* hidden_sizes from elements first, first + 1, ... of a list among the dims. */
static void set_sizes(rig *r, const char *list, int32_t first, int32_t layers) {
    char sizes[256] = "";
    size_t used = 0;
    for (int32_t i = first; i < first + layers && used < sizeof sizes; i++)
        used += (size_t)snprintf(sizes + used, sizeof sizes - used, "%s%d", i > first ? "," : "",
                                 (int)marl__golden_dim_at(r->golden, list, i, 0));
    set_int(r, "layers", layers);
    set_text(r, "hidden_sizes", sizes);
}

static void set_mlp(rig *r, int32_t layers) {
    set_sizes(r, "sizes", 1, layers);
    set_text(r, "activation", marl__golden_word(r->golden, "activation", "relu"));
    set_text(r, "final_activation", marl__golden_word(r->golden, "final_activation", "identity"));
}

/* A net whose layers are declared: x and a seed of `cols` in, the output (or what the output layer is given) and the
 * gradients compared. */
static void run_layers(rig *r, const marl__net *net, int32_t cols, int32_t is_base) {
    marl__golden *golden = r->golden;
    open_slot(r);
    marl__val x = marl__input(r->graph, "x", MARL__TEAM, net->shape.inputs, MARL__F32);
    marl__val seed = marl__input(r->graph, "seed", MARL__TEAM, cols, MARL__F32);
    marl__want_grad(r->graph, x);
    marl__net_values values = {.x = x, .h0 = -1, .reset = -1};
    marl__net_build(net, r->graph, r->slot, &values);
    marl__val out = is_base ? values.features : values.out;
    marl__graph_vjp(r->graph, &out, &seed, 1);
    marl__keep(r->graph, out, "y");
    marl__keep(r->graph, marl__gradient(r->graph, x), "dx");
    if (golden->fault[0]) return;
    read_params(r);
    if (!make_ready(r)) return;
    feed(r, x, "in.x");
    const float *weights = feed(r, seed, "in.loss_weight");
    marl__exec_run(r->exec, 0);
    double loss = weighted_sum(r, out, weights);
    compare_value(r, out, "out.y");
    compare_value(r, marl__gradient(r->graph, x), "grad_in.x");
    marl__golden_compare(golden, "loss.total", &loss, 1, NULL);
    compare_gradients(r);
}

void marl__golden_mlp(marl__golden *golden, marl_device *device, int32_t shard_rows) {
    rig *r = malloc(sizeof *r);
    (void)shard_rows;
    if (!r || !rig_open(r, golden, device, "net/mlp", 1)) goto done;
    int32_t layers = 0; /* hidden ones */
    while (marl__golden_dim_at(golden, "sizes", layers + 2, 0) > 0) layers++;
    marl__net_shape shape = {marl__golden_dim_at(golden, "sizes", 0, 0),
                             marl__golden_dim_at(golden, "sizes", layers + 1, 0), 1};
    marl__net net;
    set_rows(r, 1, marl__golden_dim(golden, "batch"));
    set_mlp(r, layers);
    if (golden->fault[0]) goto done;
    if (!marl__golden_ok(golden, marl__net_declare("mlp", r->config, "", shape, r->params, &net))) goto done;
    run_layers(r, &net, shape.outputs, 0);
done:
    if (r) rig_close(r);
    free(r);
}

/* ---- mlp_base ---- */

const char *marl__golden_mlp_base_skip(const marl__golden *golden) {
    double eps = marl__golden_real(golden, "layer_norm_eps", 1e-5);
    if (marl__activation_find(marl__golden_word(golden, "activation", "relu")) < 0)
        return "an activation that is not built";
    return eps > 0.99e-5 && eps < 1.01e-5 ? NULL : "layer norms are built with eps 1e-5 only";
}

/* The recorded net ends where ours has an output layer of its own. */
void marl__golden_mlp_base(marl__golden *golden, marl_device *device, int32_t shard_rows) {
    rig *r = malloc(sizeof *r);
    (void)shard_rows;
    if (!r || !rig_open(r, golden, device, "net/base", 1)) goto done;
    int32_t layers = 0;
    while (marl__golden_dim_at(golden, "hidden", layers, 0) > 0) layers++;
    marl__net_shape shape = {marl__golden_dim(golden, "input"), 1, 1};
    marl__net net;
    set_rows(r, 1, marl__golden_dim(golden, "batch"));
    set_sizes(r, "hidden", 0, layers);
    set_text(r, "activation", marl__golden_word(golden, "activation", "relu"));
    set_int(r, "feature_norm", marl__golden_flag(golden, "use_feature_normalization", 1));
    if (golden->fault[0]) goto done;
    if (!marl__golden_ok(golden, marl__net_declare("base", r->config, "", shape, r->params, &net))) goto done;
    r->unset = (size_t)net.features + 1; /* the output layer */
    run_layers(r, &net, net.features, 1);
done:
    if (r) rig_close(r);
    free(r);
}

/* ---- gru_agent ---- */

/* dloss/dh is given for the last slot only. */
static const float *feed_last_slot(rig *r, marl__val value, const char *array) {
    int32_t width = width_of(r, value);
    const float *from = marl__golden_floats(r->golden, array, (size_t)r->seq.batch * (size_t)width);
    float *to = marl__exec_data(r->exec, value);
    if (!from) return NULL;
    size_t skipped = (size_t)r->offset[r->seq.slots - 1] * (size_t)width;
    memset(to, 0, skipped * sizeof *to);
    memcpy(to + skipped, from, (size_t)r->seq.batch * (size_t)width * sizeof *to);
    return from;
}

/* sum of q's and the last slot's h's products with their weights. */
static double agent_loss(rig *r, const marl__net_values *values, const float *q_weights, const float *h_weights) {
    double loss = weighted_sum(r, values->out, q_weights);
    if (values->h < 0 || !h_weights) return loss;
    int32_t width = width_of(r, values->h);
    const float *last = (const float *)marl__exec_data(r->exec, values->h) +
                        (size_t)r->offset[r->seq.slots - 1] * (size_t)width;
    for (size_t i = 0; i < (size_t)r->seq.batch * (size_t)width; i++) loss += (double)last[i] * (double)h_weights[i];
    return loss;
}

static void run_agent(rig *r, const marl__net *net, int32_t inputs, int32_t actions) {
    marl__golden *golden = r->golden;
    marl__graph *g = r->graph;
    marl__val x = marl__input(g, "x", MARL__AGENT, inputs, MARL__F32);
    marl__val h0 = net->hidden > 0 ? marl__input(g, "h0", MARL__FIRST, net->hidden, MARL__F32) : -1;
    marl__val seeds[] = {marl__input(g, "dq", MARL__AGENT, actions, MARL__F32),
                         net->hidden > 0 ? marl__input(g, "dh", MARL__AGENT, net->hidden, MARL__F32) : -1};
    marl__net_values values = {.x = x, .h0 = h0, .reset = -1};
    marl__want_grad(g, x);
    marl__want_grad(g, h0);
    marl__net_build(net, g, r->slot, &values);
    marl__val ends[] = {values.out, values.h};
    marl__graph_vjp(g, ends, seeds, net->hidden > 0 ? 2 : 1);
    marl__keep(g, values.out, "q");
    marl__keep(g, values.h, "h");
    marl__keep(g, marl__gradient(g, x), "dx");
    if (h0 >= 0) marl__keep(g, marl__gradient(g, h0), "dh0");
    read_params(r);
    if (!make_ready(r)) return;
    feed(r, x, "in.x");
    const float *q_weights = feed(r, seeds[0], "in.loss_weight_q"), *h_weights = NULL;
    if (h0 >= 0) {
        feed(r, h0, "in.h0");
        h_weights = feed_last_slot(r, seeds[1], "in.loss_weight_h");
    }
    if (golden->fault[0]) return;
    marl__exec_run(r->exec, 0);
    double loss = agent_loss(r, &values, q_weights, h_weights);
    compare_value(r, values.out, "out.q");
    if (values.h >= 0) compare_value(r, values.h, "out.h");
    marl__golden_compare(golden, "loss.total", &loss, 1, NULL);
    compare_value(r, marl__gradient(g, x), "grad_in.x");
    if (h0 >= 0) compare_value(r, marl__gradient(g, h0), "grad_in.h0");
    compare_gradients(r);
}

void marl__golden_gru_agent(marl__golden *golden, marl_device *device, int32_t shard_rows) {
    rig *r = malloc(sizeof *r);
    int32_t inputs = marl__golden_dim(golden, "input"), actions = marl__golden_dim(golden, "n_actions");
    marl__net net;
    (void)shard_rows;
    if (!r || !rig_open(r, golden, device, "net/gru", marl__golden_dim(golden, "n_agents"))) goto done;
    set_rows(r, marl__golden_dim(golden, "T"), marl__golden_dim(golden, "batch"));
    set_int(r, "hidden_dim", marl__golden_dim(golden, "hidden"));
    set_int(r, "layer_norm", marl__golden_real(golden, "layer_norm_eps", 0.0) > 0.0);
    set_int(r, "recurrent", marl__golden_flag(golden, "use_rnn", 1));
    if (golden->fault[0]) goto done;
    marl__params_range(r->params, "agent", 0);
    marl__net_shape shape = {inputs, actions, 1};
    if (!marl__golden_ok(golden, marl__net_declare("gru", r->config, "", shape, r->params, &net))) goto done;
    open_slot(r);
    if (!golden->fault[0]) run_agent(r, &net, inputs, actions);
done:
    if (r) rig_close(r);
    free(r);
}

/* ---- mixers ---- */

static void run_mixer(rig *r, const marl__mixer *mixer) {
    marl__golden *golden = r->golden;
    marl__graph *g = r->graph;
    const marl__mixer_shape *shape = &mixer->shape;
    int is_qplex = mixer->kind == MARL__MIXER_QPLEX, has_state = is_qplex || mixer->kind == MARL__MIXER_QMIX;
    marl__mixer_values values = {.q = marl__input(g, "q", MARL__TEAM, shape->agents, MARL__F32), .state = -1};
    marl__val seed = marl__input(g, "seed", MARL__TEAM, 1, MARL__F32), actions = -1;
    if (has_state) values.state = marl__input(g, "state", MARL__TEAM, shape->state, MARL__F32);
    if (is_qplex) {
        values.best = marl__input(g, "best", MARL__TEAM, shape->agents, MARL__F32);
        actions = marl__input(g, "actions", MARL__AGENT, 1, MARL__I32);
        values.joint = marl__view(g, marl__one_hot(g, actions, shape->actions), MARL__TEAM,
                                  shape->agents * shape->actions);
    }
    marl__want_grad(g, values.q);
    marl__want_grad(g, values.state);
    marl__val total = marl__mixer_build(mixer, g, r->slot, &values);
    marl__graph_vjp(g, &total, &seed, 1);
    marl__keep(g, total, "q_tot");
    marl__keep(g, marl__gradient(g, values.q), "dq");
    if (has_state) marl__keep(g, marl__gradient(g, values.state), "dstate");
    if (is_qplex) {
        marl__keep(g, values.sum, "sum");
        marl__keep(g, values.advantage, "advantage");
        marl__keep(g, values.weights, "weights");
    }
    read_params(r);
    if (!make_ready(r)) return;
    feed(r, values.q, "in.qs");
    if (has_state) feed(r, values.state, "in.state");
    if (is_qplex) feed(r, values.best, "in.max_q");
    if (is_qplex) feed_indices(r, actions, "in.actions");
    const float *weights = feed(r, seed, "in.loss_weight");
    if (golden->fault[0]) return;
    marl__exec_run(r->exec, 0);
    double loss = weighted_sum(r, total, weights);
    compare_value(r, total, "out.q_tot");
    marl__golden_compare(golden, "loss.total", &loss, 1, NULL);
    compare_value(r, marl__gradient(g, values.q), "grad_in.qs");
    if (has_state) compare_value(r, marl__gradient(g, values.state), "grad_in.state");
    if (is_qplex) {
        compare_value(r, values.sum, "out.v_tot");
        compare_value(r, values.advantage, "out.adv_tot");
        compare_value(r, values.weights, "out.lambda");
    }
    compare_gradients(r);
}

static void set_qmix(rig *r) {
    set_int(r, "mixer.embed_dim", (int64_t)marl__golden_real(r->golden, "mixing_embed_dim", 32));
    set_int(r, "mixer.hypernet_embed", (int64_t)marl__golden_real(r->golden, "hypernet_embed", 64));
    set_int(r, "mixer.hypernet_layers", (int64_t)marl__golden_real(r->golden, "hypernet_layers", 2));
}

static void set_qplex(rig *r) {
    set_int(r, "mixer.hypernet_embed", (int64_t)marl__golden_real(r->golden, "hypernet_embed", 64));
    set_int(r, "mixer.kernels", (int64_t)marl__golden_real(r->golden, "num_kernel", 4));
    set_int(r, "mixer.adv_layers", (int64_t)marl__golden_real(r->golden, "adv_hypernet_layers", 2));
    set_int(r, "mixer.adv_embed", (int64_t)marl__golden_real(r->golden, "adv_hypernet_embed", 64));
    set_int(r, "mixer.weighted_head", marl__golden_flag(r->golden, "weighted_head", 1));
    set_int(r, "mixer.minus_one", marl__golden_flag(r->golden, "is_minus_one", 1));
}

static void mixer_case(marl__golden *golden, marl_device *device, int32_t kind) {
    rig *r = malloc(sizeof *r);
    marl__mixer_shape shape = {.agents = marl__golden_dim(golden, "n_agents"),
                               .state = marl__golden_dim(golden, "state")};
    marl__mixer mixer;
    if (!r || !rig_open(r, golden, device, kind == MARL__MIXER_QPLEX ? "run/qplex" : "run/qmix", shape.agents))
        goto done;
    set_rows(r, marl__golden_dim(golden, "T"), marl__golden_dim(golden, "batch"));
    if (kind == MARL__MIXER_QMIX) set_qmix(r);
    if (kind == MARL__MIXER_QPLEX) {
        shape.actions = marl__golden_dim(golden, "n_actions");
        set_qplex(r);
    }
    if (golden->fault[0]) goto done;
    marl__params_range(r->params, "mixer", 0);
    if (!marl__golden_ok(golden, marl__mixer_declare(kind, r->config, "mixer.", shape, r->params, &mixer))) goto done;
    open_slot(r);
    if (!golden->fault[0]) run_mixer(r, &mixer);
done:
    if (r) rig_close(r);
    free(r);
}

void marl__golden_vdn_mixer(marl__golden *golden, marl_device *device, int32_t shard_rows) {
    (void)shard_rows;
    mixer_case(golden, device, MARL__MIXER_VDN);
}

void marl__golden_qmix_mixer(marl__golden *golden, marl_device *device, int32_t shard_rows) {
    (void)shard_rows;
    mixer_case(golden, device, MARL__MIXER_QMIX);
}

void marl__golden_qplex_mixer(marl__golden *golden, marl_device *device, int32_t shard_rows) {
    (void)shard_rows;
    mixer_case(golden, device, MARL__MIXER_QPLEX);
}

/* ---- td_lambda_targets ---- */

/* Where the episodes stand: sorted by falling span. The published recursion runs over all T slots, so that an episode
 * that was cut off early gets a transition past its end and the value of slot T; the key phantom_step gives a learner
 * the same rows, and here an episode like that simply has T transitions. */
typedef struct placing {
    int32_t batch, slots, *order, *span;
} placing;

static void place_episodes(rig *r, placing *p) {
    marl__golden *golden = r->golden;
    for (int32_t b = 0; b < p->batch; b++) {
        int32_t length = marl__golden_dim_at(golden, "lengths", b, p->slots - 1);
        p->span[b] = marl__golden_dim_at(golden, "terminated", b, 0) ? length : p->slots - 1;
        int32_t at = b;
        for (; at > 0 && p->span[p->order[at - 1]] < p->span[b]; at--) p->order[at] = p->order[at - 1];
        p->order[at] = b;
    }
    int32_t active = p->batch;
    for (int32_t t = 0; t < p->slots; t++) {
        while (active > 0 && p->span[p->order[active - 1]] < t) active--;
        r->active[t] = active;
        r->offset[t + 1] = r->offset[t] + active;
    }
    r->seq = (marl__seq){p->slots, p->batch, r->offset[p->slots], r->active, r->offset};
}

/* A recorded (B, slots) column into its rows; slots beyond the recorded ones are 0. */
static void feed_column(rig *r, const placing *p, marl__val value, const char *array, int32_t slots) {
    const float *from = marl__golden_floats(r->golden, array, (size_t)p->batch * (size_t)slots);
    float *to = marl__exec_data(r->exec, value);
    for (int32_t t = 0; from && t < p->slots; t++)
        for (int32_t i = 0; i < r->active[t]; i++)
            to[r->offset[t] + i] = t < slots ? from[p->order[i] * slots + t] : 0.0f;
}

static void compare_targets(rig *r, const placing *p, marl__val value, const char *array) {
    int32_t slots = p->slots - 1;
    size_t count = (size_t)p->batch * (size_t)slots;
    double *got = marl__golden_room(r->golden, count, sizeof *got);
    uint8_t *use = marl__golden_room(r->golden, count, 1);
    const float *from = marl__exec_data(r->exec, value);
    for (int32_t t = 0; use && t < slots; t++)
        for (int32_t i = 0; i < r->active[t]; i++) {
            int32_t at = p->order[i] * slots + t;
            got[at] = (double)from[r->offset[t] + i];
            use[at] = t <= marl__golden_dim_at(r->golden, "lengths", p->order[i], slots);
        }
    marl__golden_compare(r->golden, array, got, count, use);
}

void marl__golden_td_targets(marl__golden *golden, marl_device *device, int32_t shard_rows) {
    rig *r = malloc(sizeof *r);
    int32_t slots = marl__golden_dim(golden, "T"), batch = marl__golden_dim(golden, "batch");
    int32_t *memory = marl__golden_room(golden, 2 * (size_t)batch, sizeof *memory);
    placing p = {batch, slots + 1, memory, memory + batch};
    float gamma = (float)marl__golden_real(golden, "gamma", 0.99);
    static const char *const arrays[] = {"out.td_lambda", "out.td_0", "out.td_1", "out.q_lambda"};
    float lambda = (float)marl__golden_real(golden, "td_lambda", 0.0), lambdas[] = {lambda, 0.0f, 1.0f, lambda};
    marl__val targets[4];
    (void)shard_rows;
    if (!r || !rig_open(r, golden, device, NULL, 1)) goto done;
    set_rows(r, slots + 1, batch); /* checks the count; the rows follow */
    if (golden->fault[0]) goto done;
    place_episodes(r, &p);
    marl__graph *g = r->graph;
    marl__val q = marl__input(g, "q", MARL__TEAM, 1, MARL__F32), reward = marl__input(g, "r", MARL__TEAM, 1, MARL__F32);
    marl__val ended = marl__input(g, "terminated", MARL__TEAM, 1, MARL__F32);
    marl__val mask = marl__input(g, "mask", MARL__TEAM, 1, MARL__F32);
    marl__val taken = marl__input(g, "q_taken", MARL__TEAM, 1, MARL__F32);
    marl__val corrected = marl__binary(g, MARL__ADD, reward, marl__binary(g, MARL__SUB, q, taken));
    for (int32_t i = 0; i < 4; i++) {
        marl__val r_i = i == 3 ? corrected : reward;
        targets[i] = marl__td_target(g, q, r_i, ended, mask, MARL__TD_LAMBDA, 0, gamma, lambdas[i]);
        marl__keep(g, targets[i], arrays[i]);
    }
    if (!make_ready(r)) goto done;
    feed_column(r, &p, q, "in.target_q_tot", slots + 1);
    feed_column(r, &p, taken, "in.q_tot_taken", slots + 1);
    feed_column(r, &p, reward, "in.reward", slots);
    feed_column(r, &p, ended, "in.terminated", slots);
    feed_column(r, &p, mask, "in.mask", slots);
    marl__exec_run(r->exec, 0);
    for (int32_t i = 0; i < 4; i++) compare_targets(r, &p, targets[i], arrays[i]);
done:
    if (r) rig_close(r);
    free(r);
}
