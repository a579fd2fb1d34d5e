/* SPDX-License-Identifier: Apache-2.0 */
/* Values, targets and losses of the value family. Rows (t, b) of slots 0..L an episode, N agents; ' is the target net:
 *
 *   a(t) = argmax over available actions of Q(t) (double Q; without: of Q'(t))
 *   q_tot(t) = mix(Q(t, u(t)), s(t)),  next(t) = mix'(Q'(t, a(t)), s(t))
 *   y = TD(lambda) or n-step targets of next; Q(lambda): with r(t) + next(t) - mix'(Q'(t, u(t)), s(t)) for r(t)
 *   loss = factor sum mask (q_tot - y)^2 / sum mask
 *
 * qtran (Son et al. 2019) has a joint value J instead of a mixer, and two more losses to tie the agents' values to it:
 *
 *   temporal   (J(u) - y)^2, next = J'(a)
 *   optimal    lambda_opt  (sum_i max Q_i - J(greedy) + V)^2              J without gradient, here and below
 *   others     lambda_nopt min(0, sum_i Q_i(u_i) - J(u) + V)^2
 *
 * J is given the hidden values of the agent and slot they belong to. PyMARL2 hands it those of other agents and slots
 * by a reshape in the wrong order; no key of ours does. */
#include "algos/value_graph.h"

#include "core/base/status.h"
#include "core/config/config.h"

typedef struct builder {
    const marl__value_spec *spec;
    marl__value_graph *at;
    marl__graph *g;
    marl__net_values online, target;
    marl__val greedy;                      /* of the targets */
    marl__val online_greedy, target_greedy; /* of each net on its own */
} builder;

static void keep(builder *b, marl__val value, const char *name) {
    if (b->spec->keep) marl__keep(b->g, value, name);
}

static void build_inputs(builder *b) {
    const marl__team_shape *shape = &b->spec->shape;
    int32_t mixer = b->spec->mixer->kind, sees_joint = mixer == MARL__MIXER_QPLEX || mixer == MARL__MIXER_QTRAN;
    marl__graph *g = b->g;
    marl__value_graph *at = b->at;
    at->obs = marl__input(g, "obs", MARL__AGENT, shape->obs, MARL__F32);
    at->last = b->spec->agent->last_action ? marl__input(g, "last_action", MARL__AGENT, 1, MARL__I32) : -1;
    at->action = marl__input(g, "action", MARL__AGENT, 1, MARL__I32);
    at->taken = sees_joint ? marl__input(g, "taken", MARL__AGENT, 1, MARL__I32) : -1;
    at->avail = marl__input(g, "avail", MARL__AGENT, shape->actions, MARL__F32);
    at->state = sees_joint || mixer == MARL__MIXER_QMIX ? marl__input(g, "state", MARL__TEAM, shape->state, MARL__F32)
                                                        : -1;
    at->reward = marl__input(g, "reward", shape->rewards > 1 ? MARL__AGENT : MARL__TEAM, 1, MARL__F32);
    at->terminated = marl__input(g, "terminated", MARL__TEAM, 1, MARL__F32);
    at->mask = marl__input(g, "mask", MARL__TEAM, 1, MARL__F32);
    at->scale = marl__input(g, "scale", MARL__ONE, 1, MARL__F32);
}

static void build_agents(builder *b) {
    const marl__agent *agent = b->spec->agent;
    marl__value_graph *at = b->at;
    b->online = b->target = (marl__net_values){.x = -1, .h0 = -1, .reset = -1};
    marl__agent_build(agent, b->g, at->target_slot, at->obs, at->last, &b->target, 0);
    b->online.x = b->target.x;
    b->online.last = b->target.last;
    b->online.id = b->target.id;
    marl__agent_build(agent, b->g, at->online_slot, at->obs, at->last, &b->online, b->spec->keep);
    b->online_greedy = marl__argmax(b->g, b->online.out, at->avail);
    b->target_greedy = marl__argmax(b->g, b->target.out, at->avail);
    b->greedy = marl__config_int(b->spec->config, "double_q") ? b->online_greedy : b->target_greedy;
    keep(b, b->online.out, "q");
    keep(b, b->target.out, "target_q");
    keep(b, b->greedy, "greedy");
}

/* One column an agent, seen as columns of the team. */
static marl__val of_team(builder *b, marl__val value) {
    return marl__view(b->g, value, MARL__TEAM, b->spec->shape.agents);
}

static marl__val one_hots(builder *b, marl__val actions) {
    return marl__one_hot(b->g, actions, b->spec->shape.actions);
}

/* Names of the parts of a mix that are kept; NULL: none. */
typedef struct part_names { const char *sum, *advantage; } part_names;

/* The team's value of actions under a net. chosen: their indices, joint: the same with -1 where none was taken; best:
 * the net's own greedy ones. */
static marl__val mixed(builder *b, int32_t slot, marl__val values, marl__val chosen, marl__val joint, marl__val best,
                       const part_names *names) {
    const marl__mixer *mixer = b->spec->mixer;
    marl__graph *g = b->g;
    marl__val q = marl__select(g, values, chosen);
    if (mixer->kind == MARL__MIXER_NONE) return q;
    marl__mixer_values in = {.q = of_team(b, q), .state = b->at->state, .best = -1, .joint = -1, .total = -1};
    if (mixer->kind == MARL__MIXER_QPLEX) {
        in.best = of_team(b, marl__select(g, marl__stop_gradient(g, values), best));
        in.joint = marl__view(g, one_hots(b, joint), MARL__TEAM, b->spec->shape.agents * b->spec->shape.actions);
    }
    marl__mixer_build(mixer, g, slot, &in);
    if (mixer->kind == MARL__MIXER_QPLEX && names) {
        keep(b, in.sum, names->sum);
        keep(b, in.advantage, names->advantage);
    }
    return in.total;
}

/* A team value in the rows of the loss: spread to the agents when there is no mixer. */
static marl__val in_loss_rows(builder *b, marl__val value) {
    if (b->spec->mixer->kind != MARL__MIXER_NONE || b->g->status != MARL_OK) return value;
    return b->g->values[value].space == MARL__TEAM ? marl__spread(b->g, value) : value;
}

/* next: the target net's value of the greedy actions; taken: of the stored ones, read by Q(lambda) only. */
static marl__val build_targets(builder *b, marl__val next, marl__val taken) {
    const marl_config *config = b->spec->config;
    int32_t n = (int32_t)marl__config_int(config, "n_step");
    marl__val reward = in_loss_rows(b, b->at->reward);
    if (marl__config_int(config, "q_lambda"))
        reward = marl__binary(b->g, MARL__ADD, reward, marl__binary(b->g, MARL__SUB, next, taken));
    marl__val y = marl__td_target(b->g, next, reward, in_loss_rows(b, b->at->terminated), in_loss_rows(b, b->at->mask),
                                  n > 0 ? MARL__TD_N_STEP : MARL__TD_LAMBDA, n,
                                  (float)marl__config_real(config, "gamma"),
                                  (float)marl__config_real(config, "td_lambda"));
    keep(b, next, "target_q_tot");
    keep(b, y, "targets");
    return y;
}

static void add_loss(builder *b, marl__val q, marl__val target, marl__val scale, const char *name) {
    marl__val loss = marl__td_loss(b->g, q, target, in_loss_rows(b, b->at->mask), scale);
    marl__keep(b->g, loss, name);
    b->at->losses[b->at->loss_count++] = loss;
}

static void build_mixed(builder *b) {
    static const part_names parts = {"v_tot", "adv_tot"};
    marl__value_graph *at = b->at;
    marl__val next = mixed(b, at->target_slot, b->target.out, b->greedy, b->greedy, b->target_greedy, NULL), taken = -1;
    if (marl__config_int(b->spec->config, "q_lambda"))
        taken = mixed(b, at->target_slot, b->target.out, at->action, at->taken, b->target_greedy, NULL);
    marl__val y = build_targets(b, next, taken);
    marl__val q_tot = mixed(b, at->online_slot, b->online.out, at->action, at->taken, b->online_greedy, &parts);
    keep(b, q_tot, "q_tot");
    add_loss(b, q_tot, y, at->scale, "loss");
}

/* J(s, u) of a net for actions given as indices. */
static marl__val joint_value(builder *b, int32_t slot, const marl__net_values *net, marl__val actions) {
    return marl__qtran_joint(b->spec->mixer, b->g, slot, b->at->state, net->features, one_hots(b, actions));
}

/* sum_i Q_i + V */
static marl__val factored(builder *b, marl__val actions, marl__val offset) {
    marl__val sum = marl__sum_agents(b->g, marl__select(b->g, b->online.out, actions));
    return marl__binary(b->g, MARL__ADD, sum, offset);
}

static void build_qtran(builder *b) {
    const marl_config *config = b->spec->config;
    marl__graph *g = b->g;
    marl__value_graph *at = b->at;
    float opt = (float)marl__config_real(config, "lambda_opt"), nopt = (float)marl__config_real(config, "lambda_nopt");
    marl__val next = joint_value(b, at->target_slot, &b->target, b->greedy), taken = -1;
    if (marl__config_int(config, "q_lambda")) taken = joint_value(b, at->target_slot, &b->target, at->taken);
    marl__val y = build_targets(b, next, taken);
    marl__val joint = joint_value(b, at->online_slot, &b->online, at->taken);
    marl__val joint_greedy = joint_value(b, at->online_slot, &b->online, b->online_greedy);
    marl__val offset = marl__qtran_value(b->spec->mixer, g, at->online_slot, at->state);
    marl__val best = factored(b, b->online_greedy, offset), chosen = factored(b, at->action, offset);
    /* min(0, x - J) = x - max(x, J): no target lies below what it is the target of. */
    marl__val floor = marl__binary(g, MARL__MAX, marl__stop_gradient(g, chosen), marl__stop_gradient(g, joint));
    keep(b, joint, "q_tot");
    keep(b, joint_greedy, "q_tot_greedy");
    keep(b, offset, "v");
    keep(b, b->online.features, "features");
    keep(b, b->target.features, "target_features");
    add_loss(b, joint, y, at->scale, "loss");
    add_loss(b, best, marl__stop_gradient(g, joint_greedy), marl__affine(g, at->scale, opt, 0.0f), "loss_opt");
    add_loss(b, chosen, floor, marl__affine(g, at->scale, nopt, 0.0f), "loss_nopt");
}

marl_status marl__value_graph_build(marl__heap *heap, const marl__value_spec *spec, marl__value_graph *out) {
    builder b = {.spec = spec, .at = out};
    *out = (marl__value_graph){.graph = NULL};
    if (marl__config_int(spec->config, "q_lambda") && marl__config_int(spec->config, "n_step") > 0)
        return marl__fail(MARL_E_ARGUMENT, "q_lambda changes TD(lambda) targets, and n_step asks for others");
    marl_status status = marl__graph_create(heap, spec->shape.agents, 1, &out->graph);
    if (status != MARL_OK) return status;
    b.g = out->graph;
    out->online_slot = marl__graph_slot(b.g, "online", spec->params, -1, 1);
    out->target_slot = marl__graph_slot(b.g, "target", spec->params, -1, 0);
    build_inputs(&b);
    build_agents(&b);
    if (spec->mixer->kind == MARL__MIXER_QTRAN) build_qtran(&b);
    else build_mixed(&b);
    marl__graph_vjp(b.g, out->losses, out->losses, out->loss_count);
    return b.g->status;
}
