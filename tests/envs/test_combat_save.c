/* SPDX-License-Identifier: Apache-2.0 */
/* Saved battles go on as if nothing had been; bytes that are no battle are refused and change nothing. Pictures, and
 * the promise that nothing is allocated after create. */
#include "combat_tools.h"

#include "support/support.h"

Suite *marl__suite_envs_combat_save(void);

enum { MOST_BYTES = 65536 };

static uint8_t saved[MOST_BYTES], changed[MOST_BYTES], now[MOST_BYTES];

static size_t save(marl_env *env, uint8_t *bytes) {
    size_t count = marl_env_save_bytes(env);

    ck_assert_uint_gt(count, 0);
    ck_assert_uint_le(count, MOST_BYTES);
    ck_assert_msg(marl_env_save(env, bytes, count) == MARL_OK, "%s", marl_last_error());
    return count;
}

/* Plays on with the same choices and returns what was paid; the last view is left in *s. */
static double play_on(marl_env *env, uint32_t random, int32_t steps, sight *s) {
    double sum = 0;

    for (int32_t k = 0; k < steps; k++) {
        int32_t choice[MOST_AGENTS];
        deed d;
        choose(env, &random, choice);
        d = act(env, choice);
        sum = 3 * sum + d.reward;
        if (d.step.terminated || d.step.truncated) {
            break;
        }
    }
    look_around(env, s);
    return sum;
}

/* In the middle of a battle with deaths, on ground and in the air; into an environment that was elsewhere. */
START_TEST(test_continuation) {
    static const char *const names[] = {"combat:MMM2", "combat:2s3z", "combat:corridor", "combat:bane_vs_bane",
                                        "combat:2c_vs_64zg"};
    static sight first, second;

    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        marl_env *env = open_combat(names[k], NULL), *other = open_combat(names[k], NULL);
        size_t bytes = 0;
        double paid = 0, again = 0;
        play_on(env, 5, k == 3 ? 4 : 18, &first); /* banelings are quick */
        bytes = save(env, saved);
        paid = play_on(env, 77, 20, &first);
        ck_assert_int_eq(marl_env_reset(other, 99), MARL_OK);
        ck_assert_msg(marl_env_restore(other, saved, bytes) == MARL_OK, "%s", marl_last_error());
        save(other, now);
        ck_assert_int_eq(memcmp(saved, now, bytes), 0);
        again = play_on(other, 77, 20, &second);
        ck_assert_int_eq(memcmp(&paid, &again, sizeof paid), 0);
        ck_assert_int_eq(memcmp(&first, &second, sizeof first), 0);
        marl_env_destroy(env);
        marl_env_destroy(other);
    }
}
END_TEST

START_TEST(test_same_seed) {
    static sight first, second;
    marl_env *env = open_combat("combat:8m_vs_9m", NULL);
    double paid = play_on(env, 3, 25, &first), again = 0;

    play_on(env, 4, 2, &second);
    ck_assert_int_eq(marl_env_reset(env, 1), MARL_OK);
    again = play_on(env, 3, 25, &second);
    ck_assert_int_eq(memcmp(&paid, &again, sizeof paid), 0);
    ck_assert_int_eq(memcmp(&first, &second, sizeof first), 0);
    marl_env_destroy(env);
}
END_TEST

/* Every byte of a state, turned over: refused, or taken as another state that can be saved, seen and fought on. */
START_TEST(test_hostile_bytes) {
    static sight s;
    marl_env *env = open_combat("combat:3m", NULL);
    size_t bytes = 0, refused = 0;

    play_on(env, 5, 14, &s);
    bytes = save(env, saved);
    for (size_t at = 0; at < 3 * bytes; at++) {
        static const uint8_t flips[3] = {0xff, 0x80, 0x01};
        memcpy(changed, saved, bytes);
        changed[at / 3] ^= flips[at % 3];
        ck_assert_int_eq(marl_env_restore(env, saved, bytes), MARL_OK);
        if (marl_env_restore(env, changed, bytes) != MARL_OK) {
            refused++;
            save(env, now);
            ck_assert_msg(memcmp(saved, now, bytes) == 0, "byte %zu was refused and changed the state", at / 3);
            continue;
        }
        look_around(env, &s);
        save(env, now);
        if (at % 7 == 0) {
            play_on(env, 9, 1, &s);
        }
    }
    ck_assert_uint_gt(refused, bytes / 4);
    ck_assert_int_eq(marl_env_restore(env, saved, bytes - 1), MARL_E_SHAPE);
    marl_env_destroy(env);
}
END_TEST

/* By hand: fields as recorded battles name them. */
START_TEST(test_impossible_battles) {
    static const struct {
        int32_t id, field;
        float value;
    } wrong[] = {
        {0, X, 1e9f},      {0, Y, -40},        {1, HP, 46},         {1, HP, -1},         {1, HP, 0},
        {0, SHIELD, 1},    {2, COOLDOWN, 0.7f}, {2, COOLDOWN, -1},  {0, ENERGY, 1},      {3, VX, 2000},
        {0, AIM, 1},       {3, AIM, 4},        {0, AIM, 6},         {4, SHIELD_TIMER, 11}, {0, HEAL_BUFFER, 5},
        {5, ALIVE, 0},
    };
    marl_env *env = open_combat("combat:3m", NULL);
    const battle good = get_battle(env, 6);
    battle b = good;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        b = good;
        b.unit[wrong[i].id][wrong[i].field] = wrong[i].value;
        ck_assert_msg(try_battle(env, &b) == MARL_E_FORMAT, "case %zu was taken", i);
        b = get_battle(env, 6);
        ck_assert_int_eq(memcmp(&b, &good, sizeof b), 0);
    }
    for (int32_t field = X; field < FIELDS; field++) {
        uint32_t nan_bits = 0x7fc00000u;
        if (field == AIM) {
            continue;
        }
        b = good;
        memcpy(&b.unit[0][field], &nan_bits, sizeof nan_bits);
        ck_assert_int_eq(try_battle(env, &b), MARL_E_FORMAT);
    }
    b = good;
    b.count = 5;
    ck_assert_int_eq(try_battle(env, &b), MARL_E_SHAPE);
    ck_assert_int_eq(marl__env_get_array(env, "unit", NULL, 0), MARL_E_NAME);
    marl_env_destroy(env);
}
END_TEST

/* ---- pictures ---- */

/* `marl play` adds two lines and leaves one free. A small battle fits 80 x 24; of others the totals do, and the largest
 * of one kind of unit, 57 marines, fits 100 x 40. */
static void check_fits(const char *text, const char *name) {
    int is_small = !strcmp(name, "combat:3m"), lines = 0;
    size_t widest = 0;

    for (const char *line = text; *line; lines++) {
        size_t bytes = strcspn(line, "\n");
        widest = bytes > widest ? bytes : widest;
        if (lines == 1) {
            ck_assert(!strncmp(line, "allies ", 7));
            ck_assert_ptr_nonnull(strstr(line, "enemies "));
            ck_assert_uint_le(bytes, 80);
        }
        line += bytes + (line[bytes] == '\n');
    }
    ck_assert_uint_le(widest, is_small ? 80 : 100);
    if (is_small) ck_assert_int_le(lines, 21);
    if (!strcmp(name, "combat:27m_vs_30m")) ck_assert_int_le(lines, 37);
}

static void check_picture(const char *name) {
    static sight s;
    static uint8_t pixels[4000000];
    static char text[16384];
    marl_env *env = open_combat(name, NULL);
    marl_image image = {sizeof image, 0, 0, 0, NULL};
    uint32_t blue = 0, red = 0;

    ck_assert_int_eq(marl_env_render(env, &image), MARL_OK);
    ck_assert_uint_ge(image.width, 512);
    image.capacity = sizeof pixels;
    image.pixels = pixels;
    ck_assert_uint_le(3 * image.width * image.height, sizeof pixels);
    ck_assert_int_eq(marl_env_render(env, &image), MARL_OK);
    for (size_t i = 0; i < (size_t)image.width * image.height; i++) {
        blue += pixels[3 * i] < 100 && pixels[3 * i + 2] > 220;
        red += pixels[3 * i] > 210 && pixels[3 * i + 2] < 100;
    }
    ck_assert_uint_gt(blue, 200);
    ck_assert_uint_gt(red, 200);
    ck_assert_int_eq(marl_env_draw_text(env, text, sizeof text), MARL_OK);
    ck_assert_ptr_nonnull(strstr(text, "step 0 of"));
    ck_assert_ptr_nonnull(strstr(text, "allies"));
    check_fits(text, name);
    ck_assert_int_eq(marl_env_draw_text(env, text, 100), MARL_E_SHAPE);
    /* units somewhere off the map, shots, the dead */
    play_on(env, 8, 40, &s);
    ck_assert_int_eq(marl_env_render(env, &image), MARL_OK);
    ck_assert_int_eq(marl_env_draw_text(env, text, sizeof text), MARL_OK);
    check_fits(text, name);
    marl_env_destroy(env);
}

START_TEST(test_pictures) {
    check_picture("combat:3m");
    check_picture("combat:MMM2");
    check_picture("combat:27m_vs_30m");
    check_picture("combat:3s_vs_5z");
    check_picture("combat:2c_vs_64zg");
}
END_TEST

/* ---- memory ---- */

/* Check's own assertions allocate, so none of them here: everybody takes the last action that is open. */
static marl_status play_quietly(marl_env *env, int32_t steps, sight *s) {
    marl_view view = {sizeof view, 0, s->obs, NULL, s->state, s->avail, s->alive};
    uint32_t actions = marl_env_action_count(env);
    marl_status status = MARL_OK;

    for (int32_t k = 0; k < steps && status == MARL_OK; k++) {
        int32_t choice[MOST_AGENTS] = {0};
        double reward = 0, scalars[3];
        marl_step step = {sizeof step, 0, 0, 0, &reward, scalars};
        marl_actions joint = {sizeof joint, 0, choice, NULL};
        if ((status = marl_env_observe(env, &view)) != MARL_OK) return status;
        for (uint32_t i = 0; i < marl_env_get_spec(env)->agent_count; i++) {
            for (uint32_t a = 0; a < actions; a++) {
                choice[i] = s->avail[i * actions + a] ? (int32_t)a : choice[i];
            }
        }
        status = marl_env_step(env, &joint, &step);
        if (status == MARL_OK && (step.terminated || step.truncated)) {
            status = marl_env_reset(env, (uint64_t)k);
        }
    }
    return status;
}

START_TEST(test_no_allocation_after_create) {
    static const char *const names[] = {"combat:3s_vs_5z", "combat:MMM2", "combat:bane_vs_bane"};
    static sight s;

    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        marl__test_memory memory = {.fail_at = 0};
        marl_host host;
        marl_env *env = NULL;
        uint64_t made = 0;
        marl_status status = MARL_OK;
        marl__test_host(&memory, &host);
        ck_assert_int_eq(marl_env_create(&host, names[k], NULL, &env), MARL_OK);
        made = memory.calls;
        for (uint64_t seed = 0; seed < 2; seed++) {
            ck_assert_int_eq(marl_env_reset(env, seed), MARL_OK);
            marl__malloc_count_start();
            status = play_quietly(env, 40, &s);
            ck_assert_uint_eq(marl__malloc_count_stop(), 0);
            ck_assert_int_eq(status, MARL_OK);
            ck_assert_int_eq(marl_env_restore(env, saved, save(env, saved)), MARL_OK);
        }
        ck_assert_uint_eq(memory.calls, made);
        marl_env_destroy(env);
        ck_assert_uint_eq(memory.live_blocks, 0);
        ck_assert_uint_eq(memory.faults, 0);
        for (uint64_t at = 1; at <= made; at++) {
            memory = (marl__test_memory){.fail_at = at};
            ck_assert_int_eq(marl_env_create(&host, names[k], NULL, &env), MARL_E_NOMEM);
            ck_assert_ptr_null(env);
            ck_assert_uint_eq(memory.live_blocks, 0);
        }
    }
}
END_TEST

Suite *marl__suite_envs_combat_save(void) {
    Suite *s = suite_create("envs/combat_save");
    TCase *tc = tcase_create("combat_save");

    suite_add_tcase(s, tc);
    tcase_add_test(tc, test_continuation);
    tcase_add_test(tc, test_same_seed);
    tcase_add_test(tc, test_hostile_bytes);
    tcase_add_test(tc, test_impossible_battles);
    tcase_add_test(tc, test_pictures);
    tcase_add_test(tc, test_no_allocation_after_create);
    return s;
}
