/* SPDX-License-Identifier: Apache-2.0 */
/* The particle environments inside: what their files share. A scenario (spread.c, tag.c, ...) says who is in the world,
 * how an episode begins, what is seen and what is paid; physics.c moves bodies, mpe.c is the environment's outside,
 * state.c saves and restores, keys.c reads names and keys, draw.c makes pictures.
 *
 * The world is in double, as the published one is; only what an agent sees is cast to float. */
#ifndef MARL__ENVS_MPE_H
#define MARL__ENVS_MPE_H

#include "core/base/rng.h"
#include "envs/env.h"

#define MARL__MPE_AGENTS 64
#define MARL__MPE_LANDMARKS 64
#define MARL__MPE_BODIES (MARL__MPE_AGENTS + MARL__MPE_LANDMARKS)
#define MARL__MPE_WORDS 10
#define MARL__MPE_MOVES 5   /* nothing, x-1, x+1, y-1, y+1: also the dimensions of a continuous move */
#define MARL__MPE_CLASSES 2
#define MARL__MPE_BLOCKS 8  /* parts of one observation */

typedef struct marl__mpe marl__mpe;

typedef struct marl__mpe_scenario {
    const char *name;
    int32_t usual_count, most_count; /* of the N that may end the name; most_count 0: the name takes none */
    /* Fills words, bodies and classes of a zeroed world whose rules are read. */
    void (*build)(marl__mpe *e);
    /* Goals and places of a new episode, in the published order of draws. Velocities and messages are zero. */
    void (*reset)(marl__mpe *e, marl__rng *rng);
    /* What agent i sees, in the order in which build described its class. */
    void (*observe)(const marl__mpe *e, int32_t i, float *out);
    void (*reward)(marl__mpe *e, double *rewards);
    const char *scalar_name;
    double (*scalar)(const marl__mpe *e); /* at the end of an episode */
} marl__mpe_scenario;

extern const marl__mpe_scenario marl__mpe_spread, marl__mpe_speaker_listener, marl__mpe_tag, marl__mpe_adversary,
    marl__mpe_reference;

/* What the name and the keys fix. count: the N of the name. */
typedef struct marl__mpe_rules {
    int32_t count, good, adversaries, obstacles, max_steps;
    int32_t is_continuous, moves_last, limit_is_terminal, has_state;
    double local_ratio;
} marl__mpe_rules;

/* An agent or a landmark. push: force of a full action; most_speed 0: no limit. */
typedef struct marl__mpe_body {
    double size, push, most_speed;
    int32_t is_movable, collides, speaks, class_index;
    uint32_t rgb;
} marl__mpe_body;

struct marl__mpe {
    marl__heap *heap;
    const marl__mpe_scenario *scenario;
    marl__mpe_rules rules;
    int32_t agents, landmarks, words, goals;
    int32_t collider_count;
    int32_t colliders[MARL__MPE_BODIES];
    int32_t step, hits; /* hits: of the episode, where a scenario counts them */
    int32_t goal[2];    /* landmarks */
    /* agents, then landmarks */
    double pos[MARL__MPE_BODIES][2], vel[MARL__MPE_AGENTS][2], force[MARL__MPE_AGENTS][2];
    double said[MARL__MPE_AGENTS][MARL__MPE_WORDS];
    marl__mpe_body bodies[MARL__MPE_BODIES];
    /* the spec */
    uint32_t obs_width, action_width, state_size; /* widths: of the widest agent; state: all in a row */
    uint64_t hash;
    char name[208];
    int32_t class_count;
    uint32_t agent_class[MARL__MPE_AGENTS];
    marl_agent_class classes[MARL__MPE_CLASSES];
    marl_obs_slice slices[MARL__MPE_CLASSES][MARL__MPE_BLOCKS];
    marl_entity_group groups[MARL__MPE_CLASSES][MARL__MPE_BLOCKS];
    float low[MARL__MPE_MOVES + MARL__MPE_WORDS], high[MARL__MPE_MOVES + MARL__MPE_WORDS];
};

/* mpe.c: for the scenarios' build */
/* Adds an agent: the next body, in agent order; its class is made by marl__mpe_see. Landmarks come after all agents. */
marl__mpe_body *marl__mpe_add_agent(marl__mpe *e, double size, int32_t class_index);
marl__mpe_body *marl__mpe_add_landmark(marl__mpe *e, double size);
/* The next part of what a class sees: count entities of `features` numbers; name NULL: no entity group. Nothing for
 * count 0. */
void marl__mpe_see(marl__mpe *e, int32_t class_index, const char *name, int32_t role, int32_t count, int32_t features,
                   int32_t slice_kind);

/* mpe.c: for the scenarios' reset and observe */
void marl__mpe_place(marl__mpe *e, marl__rng *rng, int32_t first, int32_t count, double reach);
int32_t marl__mpe_pick_goal(marl__mpe *e, marl__rng *rng);

static inline const double *marl__mpe_landmark(const marl__mpe *e, int32_t k) {
    return e->pos[e->agents + k];
}

static inline float *marl__mpe_put(float *out, const double *pair) {
    out[0] = (float)pair[0];
    out[1] = (float)pair[1];
    return out + 2;
}

/* Places of bodies as seen from agent i, without itself. */
static inline float *marl__mpe_put_seen(const marl__mpe *e, int32_t i, int32_t first, int32_t count, float *out) {
    double x = e->pos[i][0], y = e->pos[i][1];

    for (int32_t k = first; k < first + count; k++) {
        if (k != i) {
            out[0] = (float)(e->pos[k][0] - x);
            out[1] = (float)(e->pos[k][1] - y);
            out += 2;
        }
    }
    return out;
}

static inline float *marl__mpe_put_said(const marl__mpe *e, int32_t speaker, float *out) {
    for (int32_t k = 0; k < e->words; k++) {
        *out++ = (float)e->said[speaker][k];
    }
    return out;
}

/* The colour by which a goal is told: `strong` in its own channel, `weak` in the other two. */
static inline float *marl__mpe_put_colour(int32_t goal, float strong, float weak, float *out) {
    for (int32_t k = 0; k < 3; k++) {
        *out++ = k == goal ? strong : weak;
    }
    return out;
}

/* physics.c */
/* exp without libm: the same bits everywhere, within two units in the last place; 0 below -708. x is at most 708. */
double marl__mpe_exp(double x);
/* log(1 + exp(x)), whatever x. */
double marl__mpe_softplus(double x);
double marl__mpe_distance(const double *a, const double *b);
/* One time step of the world under the forces of the agents' actions, which are consumed. */
void marl__mpe_move(marl__mpe *e);

/* keys.c */
extern const marl__key_table marl__mpe_keys;
marl_status marl__mpe_check(const char *variant);
marl_status marl__mpe_read_rules(const marl_config *config, const char *variant, const marl__mpe_scenario **scenario,
                                 marl__mpe_rules *out);

/* state.c: members of the vtable, and the traces' way in and out */
extern const marl__env_inject marl__mpe_inject;
size_t marl__mpe_save_bytes(void *env);
marl_status marl__mpe_save(void *env, void *bytes);
marl_status marl__mpe_restore(void *env, const void *bytes, size_t byte_count);

/* draw.c: members of the vtable */
marl_status marl__mpe_render(void *env, marl_image *image);
marl_status marl__mpe_draw_text(void *env, char *buffer, size_t buffer_bytes);

#endif
