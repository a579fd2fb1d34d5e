/* SPDX-License-Identifier: Apache-2.0 */
/* Playing a team. A state owns everything that changes (plan and arena, hidden states, last actions, random streams),
 * the policy is only read: so threads with a state each act at once, and act allocates nothing.
 *
 * Letters: N agents, O observation, A actions, H hidden. Hidden states have two buffers: a call reads one, writes the
 * other and turns over at its end, so that a refused call leaves no trace. Each team draws from a stream of its own,
 * by its index, so that a team plays the same beside any others. */
#include <math.h>
#include <string.h>

#include "core/base/status.h"
#include "core/device.h"
#include "run/policy.h"
#include "run/team.h"

/* Rows (teams x N) that one plan takes: its units count them with 32 bits. */
enum { MOST_ROWS = 1 << 24 };

struct marl_policy_state {
    uint32_t tag;
    int32_t teams;
    const marl_policy *policy;
    marl__actor *actor;
    marl__actor_run *run;
    float *hidden[2];   /* (teams,N,H); NULL without memory */
    int32_t current;    /* which of the two holds what is remembered */
    int32_t *last;      /* (teams,N): previous actions, -1: none */
    marl__rng *rngs;    /* (teams) */
    float *obs;         /* (teams,N,O) scaled; NULL when they go in as they are */
    float *values;      /* (teams,N,A) */
    double epsilon;
};

static size_t agent_rows(const marl_policy_state *state) {
    return (size_t)state->teams * (size_t)state->policy->shape.agents;
}

static size_t hidden_count(const marl_policy_state *state) {
    return agent_rows(state) * (size_t)state->policy->agent.net.hidden;
}

/* ---- create and destroy ---- */

/* *out = zeroed array of rows x cols elements. */
static marl_status alloc_rows(marl__heap *heap, size_t rows, size_t cols, size_t element_bytes, void *out) {
    void *array = NULL;
    size_t count = 0;
    marl_status status = MARL_OK;

    if (!marl__mul_size(rows, cols, &count)) return marl__no_memory(SIZE_MAX);
    if ((status = marl__alloc_array(heap, count, element_bytes, &array)) == MARL_OK) memcpy(out, &array, sizeof array);
    return status;
}

static marl_status alloc_state(marl_policy_state *state) {
    const marl_policy *policy = state->policy;
    marl__heap *heap = &policy->device->heap;
    size_t rows = agent_rows(state), hidden = (size_t)policy->agent.net.hidden, obs = (size_t)policy->shape.obs;
    size_t actions = (size_t)policy->shape.actions;
    marl_status status = MARL_OK;

    for (int32_t i = 0; status == MARL_OK && i < 2 && hidden > 0; i++)
        status = alloc_rows(heap, rows, hidden, sizeof(float), &state->hidden[i]);
    if (status == MARL_OK) status = alloc_rows(heap, rows, 1, sizeof(int32_t), &state->last);
    if (status == MARL_OK) status = alloc_rows(heap, (size_t)state->teams, 1, sizeof(marl__rng), &state->rngs);
    if (status == MARL_OK) status = alloc_rows(heap, rows, actions, sizeof(float), &state->values);
    if (status == MARL_OK && policy->scale_rows > 0) status = alloc_rows(heap, rows, obs, sizeof(float), &state->obs);
    if (status != MARL_OK) return status;
    status = marl__actor_create(policy->device, &policy->agent, policy->params, state->teams, &state->actor);
    return status == MARL_OK ? marl__actor_run_create(state->actor, &state->run) : status;
}

static void forget(marl_policy_state *state, int32_t team) {
    size_t agents = (size_t)state->policy->shape.agents, hidden = agents * (size_t)state->policy->agent.net.hidden;

    for (size_t i = 0; i < agents; i++) state->last[(size_t)team * agents + i] = -1;
    if (hidden > 0) memset(state->hidden[state->current] + (size_t)team * hidden, 0, hidden * sizeof(float));
}

marl_status marl_policy_state_create(const marl_policy *policy, uint32_t teams, uint64_t seed,
                                     marl_policy_state **out) {
    marl_policy_state *state = NULL;
    marl_status status = MARL_OK;

    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    *out = NULL;
    if ((status = marl__check_handle(policy, MARL__TAG_POLICY, "policy")) != MARL_OK) return status;
    if ((status = marl__device_check(policy->device)) != MARL_OK) return status;
    if (teams < 1 || teams > MOST_ROWS / (uint32_t)policy->shape.agents)
        return marl__fail(MARL_E_ARGUMENT, "teams is %u, expected 1 to %u for teams of %d agents", teams,
                          MOST_ROWS / (uint32_t)policy->shape.agents, (int)policy->shape.agents);
    state = marl__alloc_zero(&policy->device->heap, sizeof *state);
    if (!state) return MARL_E_NOMEM;
    state->tag = MARL__TAG_POLICY_STATE;
    state->policy = policy;
    state->teams = (int32_t)teams;
    if ((status = alloc_state(state)) != MARL_OK) {
        marl_policy_state_destroy(state);
        return status;
    }
    for (int32_t team = 0; team < state->teams; team++) {
        marl__rng_init(&state->rngs[team], seed, marl__stream(MARL__STREAM_POLICY, (uint32_t)team));
        forget(state, team);
    }
    *out = state;
    return MARL_OK;
}

void marl_policy_state_destroy(marl_policy_state *state) {
    marl__heap *heap = NULL;

    if (!marl__is_handle(state, MARL__TAG_POLICY_STATE)) return;
    heap = &state->policy->device->heap;
    state->tag = 0;
    marl__actor_run_destroy(state->run);
    marl__actor_destroy(state->actor);
    marl__free(heap, state->hidden[0]);
    marl__free(heap, state->hidden[1]);
    marl__free(heap, state->last);
    marl__free(heap, state->rngs);
    marl__free(heap, state->obs);
    marl__free(heap, state->values);
    marl__free(heap, state);
}

static marl_status check_state(const marl_policy_state *state) {
    return marl__check_handle(state, MARL__TAG_POLICY_STATE, "policy state");
}

marl_status marl_policy_state_reset(marl_policy_state *state, uint32_t team) {
    marl_status status = check_state(state);

    if (status != MARL_OK) return status;
    if (team >= (uint32_t)state->teams)
        return marl__fail(MARL_E_ARGUMENT, "team is %u, the state has %d teams", team, (int)state->teams);
    forget(state, (int32_t)team);
    return MARL_OK;
}

marl_status marl_policy_state_set_epsilon(marl_policy_state *state, double epsilon) {
    marl_status status = check_state(state);

    if (status != MARL_OK) return status;
    if (!(epsilon >= 0.0 && epsilon <= 1.0))
        return marl__fail(MARL_E_ARGUMENT, "epsilon is %g, expected 0 to 1", epsilon);
    state->epsilon = epsilon;
    return MARL_OK;
}

/* ---- snapshots: header, streams, last actions, hidden states; unaligned ---- */

#define SNAPSHOT_MAGIC 0x534c504du /* "MPLS" */

typedef struct snapshot_header {
    uint32_t magic, fingerprint; /* of the policy */
    int32_t teams, hidden;
    double epsilon;
} snapshot_header;

static size_t snapshot_bytes(const marl_policy_state *state) {
    return sizeof(snapshot_header) + (size_t)state->teams * sizeof(marl__rng) + agent_rows(state) * sizeof(int32_t) +
           hidden_count(state) * sizeof(float);
}

size_t marl_policy_state_snapshot_bytes(const marl_policy_state *state) {
    return marl__is_handle(state, MARL__TAG_POLICY_STATE) ? snapshot_bytes(state) : 0;
}

static marl_status check_snapshot_buffer(const marl_policy_state *state, const void *bytes, size_t byte_count) {
    marl_status status = check_state(state);

    if (status != MARL_OK) return status;
    if (!bytes) return marl__fail(MARL_E_ARGUMENT, "bytes is NULL");
    if (byte_count != snapshot_bytes(state))
        return marl__fail(MARL_E_SHAPE, "%zu bytes given, a snapshot of this state has %zu", byte_count,
                          snapshot_bytes(state));
    return MARL_OK;
}

marl_status marl_policy_state_snapshot(const marl_policy_state *state, void *bytes, size_t byte_count) {
    marl_status status = check_snapshot_buffer(state, bytes, byte_count);
    unsigned char *at = bytes;
    snapshot_header header;

    if (status != MARL_OK) return status;
    header = (snapshot_header){.magic = SNAPSHOT_MAGIC, .fingerprint = state->policy->fingerprint,
                               .teams = state->teams, .hidden = state->policy->agent.net.hidden,
                               .epsilon = state->epsilon};
    memcpy(at, &header, sizeof header);
    at += sizeof header;
    memcpy(at, state->rngs, (size_t)state->teams * sizeof(marl__rng));
    at += (size_t)state->teams * sizeof(marl__rng);
    memcpy(at, state->last, agent_rows(state) * sizeof(int32_t));
    at += agent_rows(state) * sizeof(int32_t);
    if (hidden_count(state) > 0) memcpy(at, state->hidden[state->current], hidden_count(state) * sizeof(float));
    return MARL_OK;
}

static marl_status check_header(const marl_policy_state *state, const snapshot_header *header) {
    if (header->magic != SNAPSHOT_MAGIC) return marl__fail(MARL_E_FORMAT, "the bytes are no snapshot of a team");
    if (header->fingerprint != state->policy->fingerprint || header->hidden != state->policy->agent.net.hidden)
        return marl__fail(MARL_E_MISMATCH, "the snapshot was taken of another policy");
    if (header->teams != state->teams)
        return marl__fail(MARL_E_MISMATCH, "the snapshot is of %d teams, the state has %d", (int)header->teams,
                          (int)state->teams);
    if (!(header->epsilon >= 0.0 && header->epsilon <= 1.0))
        return marl__fail(MARL_E_FORMAT, "the snapshot's epsilon is %g, expected 0 to 1", header->epsilon);
    return MARL_OK;
}

static marl_status check_last(const marl_policy_state *state, const unsigned char *at) {
    for (size_t i = 0; i < agent_rows(state); i++) {
        int32_t action = 0;
        memcpy(&action, at + i * sizeof action, sizeof action);
        if (action < -1 || action >= state->policy->shape.actions)
            return marl__fail(MARL_E_FORMAT, "the snapshot's last action of agent %zu is %d, expected -1 to %d", i,
                              (int)action, (int)state->policy->shape.actions - 1);
    }
    return MARL_OK;
}

/* Sign bit: whether x is not finite, since an exponent of ones shows when one is added to it. */
static uint32_t not_finite(const float *x) {
    uint32_t bits;

    memcpy(&bits, x, sizeof bits);
    return (bits & 0x7f800000u) + 0x00800000u;
}

/* In blocks of 16, so that compilers use vectors. */
static int all_finite(const float *x, size_t count) {
    uint32_t found[16] = {0}, any = 0;
    size_t i = 0;

    for (; i + 16 <= count; i += 16)
        for (size_t k = 0; k < 16; k++) found[k] |= not_finite(&x[i + k]);
    for (; i < count; i++) any |= not_finite(&x[i]);
    for (size_t k = 0; k < 16; k++) any |= found[k];
    return any < 0x80000000u;
}

/* Hidden states go to the buffer that is not in use and count only when everything was found right. */
marl_status marl_policy_state_restore(marl_policy_state *state, const void *bytes, size_t byte_count) {
    marl_status status = check_snapshot_buffer(state, bytes, byte_count);
    const unsigned char *at = bytes, *rngs = NULL, *last = NULL;
    snapshot_header header;

    if (status != MARL_OK) return status;
    memcpy(&header, at, sizeof header);
    if ((status = check_header(state, &header)) != MARL_OK) return status;
    rngs = at + sizeof header;
    last = rngs + (size_t)state->teams * sizeof(marl__rng);
    if ((status = check_last(state, last)) != MARL_OK) return status;
    if (hidden_count(state) > 0) {
        float *other = state->hidden[!state->current];
        memcpy(other, last + agent_rows(state) * sizeof(int32_t), hidden_count(state) * sizeof(float));
        if (!all_finite(other, hidden_count(state)))
            return marl__fail(MARL_E_FORMAT, "a hidden state in the snapshot is not finite");
        state->current = !state->current;
    }
    memcpy(state->rngs, rngs, (size_t)state->teams * sizeof(marl__rng));
    memcpy(state->last, last, agent_rows(state) * sizeof(int32_t));
    state->epsilon = header.epsilon;
    return MARL_OK;
}

/* ---- acting ---- */

/* Names the first that is not finite; x: (teams, N, cols). */
static marl_status check_finite(const marl_policy_state *state, const float *x, int32_t cols, const char *what) {
    size_t agents = (size_t)state->policy->shape.agents, width = (size_t)cols;

    if (all_finite(x, agent_rows(state) * width)) return MARL_OK;
    for (size_t i = 0; i < agent_rows(state) * width; i++)
        if (!isfinite(x[i]))
            return marl__fail(MARL_E_NOT_FINITE, "team %zu, agent %zu: %s %zu is %s", i / width / agents,
                              i / width % agents, what, i % width, isnan(x[i]) ? "NaN" : "infinite");
    return MARL_OK;
}

static int has_any(const uint8_t *avail, int32_t actions) {
    for (int32_t a = 0; a < actions; a++)
        if (avail[a]) return 1;
    return 0;
}

static marl_status check_avail(const marl_policy_state *state, const uint8_t *avail, const uint8_t *alive) {
    size_t agents = (size_t)state->policy->shape.agents;
    int32_t actions = state->policy->shape.actions;

    for (size_t i = 0; i < agent_rows(state); i++)
        if ((!alive || alive[i]) && !has_any(avail + i * (size_t)actions, actions))
            return marl__fail(MARL_E_ARGUMENT, "team %zu, agent %zu is alive and none of its %d actions is available",
                              i / agents, i % agents, (int)actions);
    return MARL_OK;
}

static marl_status check_act(const marl_policy *policy, const marl_policy_state *state, const float *obs,
                             const uint8_t *avail, const uint8_t *alive, const int32_t *actions) {
    marl_status status = marl__check_handle(policy, MARL__TAG_POLICY, "policy");

    if (status != MARL_OK || (status = check_state(state)) != MARL_OK) return status;
    if (state->policy != policy) return marl__fail(MARL_E_MISMATCH, "the state belongs to another policy");
    if (!obs || !actions) return marl__fail(MARL_E_ARGUMENT, "%s is NULL", obs ? "actions" : "obs");
    if ((status = check_finite(state, obs, policy->shape.obs, "observation")) != MARL_OK) return status;
    return avail ? check_avail(state, avail, alive) : MARL_OK;
}

/* What the net sees: the caller's observations, or scaled copies. */
static const float *net_obs(const marl_policy_state *state, const float *obs) {
    const marl_policy *policy = state->policy;
    size_t width = (size_t)policy->shape.obs, rows = agent_rows(state);

    if (policy->scale_rows == 0) return obs;
    for (size_t i = 0; i < rows; i++) {
        size_t row = i % (size_t)policy->scale_rows; /* agents innermost: of one row, or of N */
        marl__scale_obs(width, obs + i * width, policy->scale + row * width, policy->shift + row * width,
                        state->obs + i * width);
    }
    return state->obs;
}

marl_status marl_policy_act_values(const marl_policy *policy, marl_policy_state *state, const float *obs,
                                   const uint8_t *avail, const uint8_t *alive, int32_t *actions, float *values) {
    marl_status status = check_act(policy, state, obs, avail, alive, actions);
    int32_t next = 0;

    if (status != MARL_OK) return status;
    next = !state->current;
    marl__actor_values(state->run, &policy->version, state->teams, net_obs(state, obs), state->last,
                       state->hidden[state->current], state->hidden[next], state->values);
    if ((status = check_finite(state, state->values, policy->shape.actions, "value of action")) != MARL_OK)
        return status;
    for (int32_t team = 0; team < state->teams; team++) {
        size_t first = (size_t)team * (size_t)policy->shape.agents, at = first * (size_t)policy->shape.actions;
        marl__choose(&policy->agent, state->values + at, avail ? avail + at : NULL, alive ? alive + first : NULL,
                     state->epsilon, &state->rngs[team], actions + first);
    }
    memcpy(state->last, actions, agent_rows(state) * sizeof(int32_t));
    state->current = next;
    if (values) memcpy(values, state->values, agent_rows(state) * (size_t)policy->shape.actions * sizeof(float));
    return MARL_OK;
}

marl_status marl_policy_act(const marl_policy *policy, marl_policy_state *state, const float *obs,
                            const uint8_t *avail, const uint8_t *alive, int32_t *actions) {
    return marl_policy_act_values(policy, state, obs, avail, alive, actions, NULL);
}
