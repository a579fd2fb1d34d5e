/* SPDX-License-Identifier: Apache-2.0 */
/** @file env.h
 * Environments: the vtable a host fills in, what an environment tells about itself, and a checked handle on one.
 *
 * N is the agent count, O the greatest observation length, S the state length, A the greatest action count. Buffers
 * are the caller's, row-major, and hold (N,O), (S) or (N,S), (N,A); agents whose own sizes are smaller are padded
 * with zeros at the end of their row.
 *
 *     marl_env *env;
 *     marl_env_create(NULL, "lbf:8x8-2p-2f-coop", NULL, &env);
 *     const marl_env_spec *spec = marl_env_get_spec(env);
 *     marl_env_reset(env, 7);
 *     marl_env_observe(env, &view);              // view.obs, view.state, view.avail, view.alive
 *     marl_env_step(env, &actions, &step);       // step.rewards, step.terminated, ...
 */
#ifndef MARL_ENV_H
#define MARL_ENV_H

#include "marl/config.h"
#include "marl/host.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Element type of an observation. */
enum marl_obs_type { MARL_OBS_F32 = 0, MARL_OBS_U8 = 1 };

/** Kind of an agent's action. */
enum marl_action_kind {
    MARL_ACTION_DISCRETE = 0,       /**< one of action_count */
    MARL_ACTION_MULTI_DISCRETE = 1, /**< action_dims numbers, number d below action_sizes[d] */
    MARL_ACTION_BOX = 2             /**< action_dims reals in [action_low[d], action_high[d]] */
};

/** Role of an entity group in an observation. */
enum marl_entity_role { MARL_ROLE_NEUTRAL = 0, MARL_ROLE_ALLY = 1, MARL_ROLE_ENEMY = 2, MARL_ROLE_GOAL = 3 };

/** Kind of a slice of the observation. */
enum marl_slice_kind {
    MARL_SLICE_REAL = 0,   /**< numbers that may be normalised */
    MARL_SLICE_BINARY = 1, /**< flags and one-hots: leave as they are */
    MARL_SLICE_ID = 2,     /**< an identity: leave as it is */
    MARL_SLICE_IMAGE = 3   /**< pixels */
};

/** How an episode ended. */
enum marl_outcome { MARL_OUTCOME_NONE = 0, MARL_OUTCOME_WON = 1, MARL_OUTCOME_LOST = 2 };

/** A run of neighbouring observation entries of one kind. */
typedef struct marl_obs_slice {
    uint32_t offset; /**< first entry */
    uint32_t count;  /**< number of entries */
    int32_t kind;    /**< marl_slice_kind */
    float low;       /**< least value that occurs, for scaling; low == high: unknown */
    float high;      /**< greatest value that occurs */
} marl_obs_slice;

/** A group of equal entities inside an observation: `count` rows of `feature_count` numbers from `offset`. */
typedef struct marl_entity_group {
    const char *name;       /**< "enemy", "ally", "food" */
    int32_t role;           /**< marl_entity_role */
    uint32_t offset;        /**< first entry of the first entity */
    uint32_t count;         /**< entities */
    uint32_t feature_count; /**< entries an entity */
} marl_entity_group;

/** The actions first_action .. first_action + count - 1 target the entities first_entity .. first_entity + count - 1
 * of a group. */
typedef struct marl_action_target {
    uint32_t first_action; /**< first action of the run */
    uint32_t count;        /**< actions in the run */
    uint32_t group;        /**< index into the class's entity groups */
    uint32_t first_entity; /**< entity that first_action targets */
} marl_action_target;

/** What agents of one class see and do. Pointers are borrowed from the environment. */
typedef struct marl_agent_class {
    uint32_t struct_size;                 /**< sizeof(marl_agent_class) */
    int32_t obs_type;                     /**< marl_obs_type */
    uint32_t obs_rank;                    /**< 1 (a vector) or 3 (height, width, channels) */
    uint32_t obs_shape[3];                /**< lengths; unused ones are 0 */
    const marl_obs_slice *slices;         /**< may be NULL: everything is MARL_SLICE_REAL */
    uint32_t slice_count;                 /**< number of slices */
    uint32_t entity_group_count;          /**< number of entity groups */
    const marl_entity_group *entity_groups; /**< may be NULL */
    const marl_action_target *action_targets; /**< may be NULL */
    uint32_t action_target_count;         /**< number of action targets */
    int32_t action_kind;                  /**< marl_action_kind */
    uint32_t action_count;                /**< DISCRETE: number of actions; else the sum of action_sizes, or 0 */
    uint32_t action_dims;                 /**< numbers an action has: 1 for DISCRETE */
    const uint32_t *action_sizes;         /**< MULTI_DISCRETE: action_dims sizes; else NULL */
    const float *action_low;              /**< BOX: action_dims bounds; else NULL */
    const float *action_high;             /**< BOX: action_dims bounds; else NULL */
} marl_agent_class;

/** What an environment is. Pointers are borrowed and live as long as the environment. */
typedef struct marl_env_spec {
    uint32_t struct_size;            /**< sizeof(marl_env_spec) */
    uint32_t agent_count;            /**< N, at least 1 */
    const char *name;                /**< "family:variant"; goes into results and checkpoints */
    const char *version;             /**< of the rules, "1" */
    uint64_t hash;                   /**< of everything that changes the rules: parameters, layout */
    uint32_t class_count;            /**< number of agent classes */
    uint32_t state_size;             /**< S, 0 if there is no state */
    const marl_agent_class *classes; /**< class_count classes */
    const uint32_t *agent_class;     /**< class of each agent; NULL: all class 0 */
    uint32_t state_per_agent;        /**< 1: the state is (N,S); 0: (S) */
    uint32_t reward_per_agent;       /**< 1: N rewards a step; 0: one for the team */
    uint32_t episode_limit;          /**< steps after which an episode is cut (truncated) at the latest, at least 1 */
    uint32_t deterministic;          /**< 1: after reset nothing is drawn at random */
    uint32_t scalar_count;           /**< episode scalars reported at the end of an episode */
    const char *const *scalar_names; /**< their names; NULL if none */
} marl_env_spec;

/** A joint action. discrete: (N, D) with D the greatest action_dims, for DISCRETE and MULTI_DISCRETE agents;
 * continuous: (N, D) for BOX agents. The one not used may be NULL. */
typedef struct marl_actions {
    uint32_t struct_size;     /**< sizeof(marl_actions) */
    uint32_t reserved;        /**< zero */
    const int32_t *discrete;  /**< (N,D) */
    const float *continuous;  /**< (N,D) */
} marl_actions;

/** Result of a step. The caller provides the buffers, the environment fills everything. */
typedef struct marl_step {
    uint32_t struct_size; /**< sizeof(marl_step) */
    int32_t terminated;   /**< 1: a real end, nothing to bootstrap */
    int32_t truncated;    /**< 1: cut by a limit; observe gives the final observation */
    int32_t outcome;      /**< marl_outcome, at the end of an episode */
    double *rewards;      /**< 1 or N numbers */
    double *scalars;      /**< scalar_count numbers, written at the end of an episode; may be NULL */
} marl_step;

/** Where observe writes. Members that are NULL are skipped. An environment finds avail and alive filled with ones, so
 * one that masks nothing need not write them. */
typedef struct marl_view {
    uint32_t struct_size; /**< sizeof(marl_view) */
    uint32_t reserved;    /**< zero */
    float *obs;           /**< (N,O), f32 observations */
    uint8_t *obs_u8;      /**< (N,O), u8 observations */
    float *state;         /**< (S) or (N,S) */
    uint8_t *avail;       /**< (N,A), 1 where the action may be chosen */
    uint8_t *alive;       /**< (N), 1 for agents that act and are rewarded */
} marl_view;

/** An RGB picture: the caller gives buffer and capacity, the environment the size. */
typedef struct marl_image {
    uint32_t struct_size; /**< sizeof(marl_image) */
    uint32_t width;       /**< pixels */
    uint32_t height;      /**< pixels */
    uint32_t capacity;    /**< bytes at pixels; 0: only width and height are wanted */
    uint8_t *pixels;      /**< (height, width, 3); NULL: only width and height are wanted */
} marl_image;

/** The functions of an environment. `env` is what create gave. Each returns MARL_OK or an error; the text for it is
 * fetched with `error`. Different environments are called from different threads, one environment by one at a time.
 * Nothing may be kept of the pointers handed in. No function may allocate between reset and destroy if the run is to
 * keep the promise of a hot path without allocations. */
typedef struct marl_env_vtable {
    uint32_t struct_size; /**< sizeof(marl_env_vtable) */
    uint32_t reserved;    /**< zero */
    /** Required. Fills the spec; constant over the environment's life. */
    marl_status (*spec)(void *env, marl_env_spec *out);
    /** Required. Starts an episode; everything random in it follows from seed. */
    marl_status (*reset)(void *env, uint64_t seed);
    /** Required. One joint action. On failure the environment is unchanged. */
    marl_status (*step)(void *env, const marl_actions *actions, marl_step *out);
    /** Required. Writes what the agents see now. */
    marl_status (*observe)(void *env, const marl_view *out);
    /** Optional, with save and restore. Bytes that save writes, constant over the environment's life. */
    size_t (*save_bytes)(void *env);
    /** Optional. Writes the whole state: everything that step and observe read, the random stream included. */
    marl_status (*save)(void *env, void *bytes);
    /** Optional. Takes up a saved state; refuses bytes that are no state, unchanged. */
    marl_status (*restore)(void *env, const void *bytes, size_t byte_count);
    /** Optional. Draws the environment. */
    marl_status (*render)(void *env, marl_image *image);
    /** Optional. A text picture of the environment for a terminal, NUL-terminated. */
    marl_status (*draw_text)(void *env, char *buffer, size_t buffer_bytes);
    /** Optional. The sentence of the last failure; borrowed. */
    const char *(*error)(void *env);
    /** Required. Ends the environment. */
    void (*destroy)(void *env);
} marl_env_vtable;

/** A kind of environment of the host's: how to make one, and its functions. */
typedef struct marl_env_type {
    uint32_t struct_size; /**< sizeof(marl_env_type) */
    uint32_t reserved;    /**< zero */
    /** Makes environment number `index` (training environments count from 0, evaluation ones follow). */
    marl_status (*create)(void *user, uint32_t index, void **env);
    const marl_env_vtable *vtable; /**< copied */
    void *user;                    /**< handed to create */
} marl_env_type;

/** One environment, checked: shapes, NaN, masks and action ranges. One thread at a time. */
typedef struct marl_env marl_env;

/** Sets every member to zero or NULL and struct_size to the caller's. NULL is ignored. */
MARL_API void marl_env_spec_init(marl_env_spec *spec, uint32_t struct_size);
/** See marl_env_spec_init. */
MARL_API void marl_env_vtable_init(marl_env_vtable *vtable, uint32_t struct_size);
/** See marl_env_spec_init. */
MARL_API void marl_env_type_init(marl_env_type *type, uint32_t struct_size);
/** See marl_env_spec_init; sets rank 1, DISCRETE and action_dims 1. */
MARL_API void marl_agent_class_init(marl_agent_class *agent_class, uint32_t struct_size);

/** Creates a built-in environment. config: of "env/NAME" with the same name, NULL for defaults, not kept.
 * MARL_E_NAME for an unknown family or variant, with the nearest one. */
MARL_API marl_status marl_env_create(const marl_host *host, const char *name, const marl_config *config,
                                     marl_env **out);

/** Creates an environment of the host's own type. Its spec is checked; MARL_E_SHAPE or MARL_E_ARGUMENT names what is
 * wrong in it. */
MARL_API marl_status marl_env_create_custom(const marl_host *host, const marl_env_type *type, uint32_t index,
                                            marl_env **out);

/** Ends an environment. NULL is fine. */
MARL_API void marl_env_destroy(marl_env *env);

/** The spec; borrowed, lives as long as env. NULL if env is no environment. */
MARL_API const marl_env_spec *marl_env_get_spec(const marl_env *env);

/** O: greatest observation length over the agents. */
MARL_API uint32_t marl_env_obs_size(const marl_env *env);

/** A: greatest number of actions over the agents. */
MARL_API uint32_t marl_env_action_count(const marl_env *env);

/** Starts an episode. */
MARL_API marl_status marl_env_reset(marl_env *env, uint64_t seed);

/** One step. Actions are checked first (range, availability, NaN, bounds): MARL_E_ARGUMENT or MARL_E_NOT_FINITE names
 * agent and value, and the environment is unchanged. Agents that are not alive may be given any action in range. A NaN
 * reward is MARL_E_NOT_FINITE and ends the episode. MARL_E_STATE if the episode is over or was never begun. */
MARL_API marl_status marl_env_step(marl_env *env, const marl_actions *actions, marl_step *out);

/** Writes what the agents see. NaN in an observation is MARL_E_NOT_FINITE naming agent and entry; an agent alive with
 * no action available is MARL_E_ARGUMENT. */
MARL_API marl_status marl_env_observe(marl_env *env, const marl_view *out);

/** Bytes of a saved state, 0 if the environment has no save and restore. */
MARL_API size_t marl_env_save_bytes(const marl_env *env);

/** Writes the whole state: marl_env_save_bytes() bytes. MARL_E_UNSUPPORTED without save. */
MARL_API marl_status marl_env_save(marl_env *env, void *bytes, size_t byte_count);

/** Takes up a state written by marl_env_save of an environment of equal spec. */
MARL_API marl_status marl_env_restore(marl_env *env, const void *bytes, size_t byte_count);

/** Draws the environment, see marl_image. MARL_E_UNSUPPORTED without render. */
MARL_API marl_status marl_env_render(marl_env *env, marl_image *image);

/** A text picture of the environment for a terminal. MARL_E_UNSUPPORTED without draw_text. */
MARL_API marl_status marl_env_draw_text(marl_env *env, char *buffer, size_t buffer_bytes);

/** Number of built-in environment families. */
MARL_API uint32_t marl_env_family_count(void);

/** Name of a family ("lbf"), NULL beyond the count. Static memory. */
MARL_API const char *marl_env_family_name(uint32_t index);

/** One line on the variants a family takes ("{s}x{s}-{p}p-{f}f[-coop]"), NULL beyond the count. Static memory. */
MARL_API const char *marl_env_family_variants(uint32_t index);

/** The name of a ready example of a family ("lbf:8x8-2p-2f-coop"), NULL beyond the count. Static memory. */
MARL_API const char *marl_env_family_example(uint32_t index);

#ifdef __cplusplus
}
#endif
#endif
