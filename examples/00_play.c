/* SPDX-License-Identifier: Apache-2.0 */
/* Plays a trained team for one episode, as a game would: load once, then one call a tick.
 *
 *     cc 00_play.c $(pkg-config --cflags --libs marl) -o 00_play
 *     ./00_play runs/quickstart lbf:5x5-2p-1f-coop 7
 *
 * The first argument is a policy file or the directory of a run, the second the environment, the third the seed of the
 * episode. Without a device of its own a game opens "cpu"; acting allocates nothing and starts no thread. */
#include <marl/marl.h>
#include <stdio.h>
#include <stdlib.h>

static void check(marl_status status) {
    if (status == MARL_OK) return;
    fprintf(stderr, "%s: %s\n", marl_status_name(status), marl_last_error());
    exit(1);
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "runs/quickstart";
    const char *name = argc > 2 ? argv[2] : "lbf:5x5-2p-1f-coop";
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 7;

    /* The team. A policy tells how many agents it steers and what each sees and may do. */
    marl_device *device;
    marl_policy *policy;
    marl_policy_state *state;
    check(marl_device_open(NULL, "cpu", NULL, &device));
    check(marl_policy_load_file(device, path, NULL, &policy));
    check(marl_policy_state_create(policy, 1, seed, &state));

    /* The world. A game fills the same buffers from its own. */
    marl_env *env;
    check(marl_env_create(NULL, name, NULL, &env));
    uint32_t agents = marl_policy_agent_count(policy);
    if (marl_env_get_spec(env)->agent_count != agents || marl_env_obs_size(env) != marl_policy_obs_size(policy) ||
        marl_env_action_count(env) != marl_policy_action_count(policy)) {
        fprintf(stderr, "the team of %s does not fit %s\n", path, name);
        return 1;
    }
    size_t rewards = marl_env_get_spec(env)->reward_per_agent ? agents : 1;
    float *obs = calloc((size_t)agents * marl_env_obs_size(env), sizeof *obs);
    uint8_t *avail = calloc((size_t)agents * marl_env_action_count(env), sizeof *avail);
    int32_t *chosen = calloc(agents, sizeof *chosen);
    double *reward = calloc(rewards, sizeof *reward);
    if (!obs || !avail || !chosen || !reward) return 1;

    marl_view view = {.struct_size = sizeof view, .obs = obs, .avail = avail};
    marl_actions actions = {.struct_size = sizeof actions, .discrete = chosen};
    marl_step step = {.struct_size = sizeof step, .rewards = reward};
    double total = 0;
    int ticks = 0;

    check(marl_env_reset(env, seed));
    check(marl_policy_state_reset(state, 0));
    while (!step.terminated && !step.truncated) {
        check(marl_env_observe(env, &view));
        check(marl_policy_act(policy, state, obs, avail, NULL, chosen));
        check(marl_env_step(env, &actions, &step));
        for (size_t i = 0; i < rewards; i++) total += reward[i];
        ticks++;
    }
    printf("%s, trained with %s: return %.3f after %d steps\n", name, marl_policy_algo(policy), total, ticks);

    free(obs);
    free(avail);
    free(chosen);
    free(reward);
    marl_env_destroy(env);
    marl_policy_state_destroy(state);
    marl_policy_destroy(policy);
    marl_device_close(device);
    return 0;
}
