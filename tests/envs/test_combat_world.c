/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of battle one by one, from hand-set states: random numbers as NumPy draws them, who is aimed at, what a
 * shot, a blast, a beam and a medic do, who leaves and when; and that a copied state goes on like the original. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"
#include "envs/combat/rng.h"
#include "envs/combat/world_internal.h"

Suite *marl__suite_envs_combat_world(void);

typedef struct battle {
    marl__heap heap;
    marl__combat_scenario scenario;
    marl__combat_world *world;
    marl__combat_state *s;
} battle;

static battle *open_battle(const char *map, int32_t opponent) {
    battle *b = calloc(1, sizeof *b);

    ck_assert_int_eq(marl__heap_init(&b->heap, NULL), MARL_OK);
    ck_assert_msg(marl__combat_map_load(map, &b->scenario) == MARL_OK, "%s", marl_last_error());
    ck_assert_int_eq(marl__combat_world_create(&b->heap, &b->scenario, opponent, &b->world), MARL_OK);
    b->s = marl__combat_world_state(b->world);
    return b;
}

static void close_battle(battle *b) {
    marl__combat_world_destroy(b->world);
    ck_assert_uint_eq(b->heap.current_bytes, 0);
    free(b);
}

static int32_t id_of(const battle *b, int32_t side, int32_t fid) {
    for (int32_t id = 0; id < b->scenario.unit_count; id++) {
        if (b->scenario.units[id].side == side && b->scenario.units[id].fid == fid) {
            return id;
        }
    }
    ck_abort_msg("no unit %d of side %d", fid, side);
    return -1;
}

static void put(battle *b, int32_t id, float x, float y) {
    b->s->x[id] = x;
    b->s->y[id] = y;
}

/* Everybody but the listed, which ends with -1, leaves. */
static void keep_only(battle *b, const int32_t *ids) {
    memset(b->s->alive, 0, sizeof b->s->alive);
    for (int32_t id = 0; id < b->scenario.unit_count; id++) {
        b->s->order[id] = MARL__COMBAT_NOTHING;
    }
    for (; *ids >= 0; ids++) {
        b->s->alive[*ids] = 1;
    }
    for (int32_t id = 0; id < b->scenario.unit_count; id++) {
        b->s->hp[id] = b->s->alive[id] ? b->s->hp[id] : 0;
    }
    marl__combat_world_restored(b->world);
}

#define KEEP(b, ...) keep_only(b, (const int32_t[]){__VA_ARGS__, -1})

static void order_attack(battle *b, int32_t id, int32_t target) {
    b->s->order[id] = MARL__COMBAT_ATTACK;
    b->s->order_target[id] = (int16_t)target;
}

/* ---- random numbers ---- */

START_TEST(numbers_are_those_of_numpy) {
    static const struct { uint64_t seed, draws[3]; } cases[] = {
        {0, {UINT64_C(0xa30febcfd9c2825f), UINT64_C(0x4510bdf882d9d721), UINT64_C(0x0a7d3da94ecde8b8)}},
        {1001, {UINT64_C(0x9cd3056fe744ea38), UINT64_C(0x0404f223d1fa3b3d), UINT64_C(0x300c6c92820a09d0)}},
        {UINT64_C(1099511627783), {UINT64_C(0xd46e9e2034de21aa), UINT64_C(0x415badc99c087675),
                                   UINT64_C(0x275ed40f045acb84)}},
        {UINT64_MAX, {UINT64_C(0xae163a7a8c47568f), UINT64_C(0xd86659f5f3382359), UINT64_C(0x01e52b195bc2d24a)}},
    };
    static const int16_t shuffles[2][11] = {{9, 1, 10, 6, 5, 7, 4, 2, 0, 3, 8}, {8, 0, 7, 6, 5, 2, 9, 10, 1, 4, 3}};
    static const int16_t last_of_64[8] = {35, 23, 36, 33, 5, 17, 58, 3}; /* seed 12345678901234, second shuffle */
    marl__combat_rng rng;
    int16_t items[64];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        marl__combat_rng_seed(&rng, cases[i].seed);
        for (int j = 0; j < 3; j++) {
            ck_assert_uint_eq(marl__combat_rng_u64(&rng), cases[i].draws[j]);
        }
    }
    marl__combat_rng_seed(&rng, 1001);
    for (int round = 0; round < 2; round++) {
        for (int16_t i = 0; i < 11; i++) {
            items[i] = i;
        }
        marl__combat_rng_shuffle(&rng, items, 11);
        ck_assert_mem_eq(items, shuffles[round], sizeof shuffles[round]);
    }
    marl__combat_rng_seed(&rng, UINT64_C(12345678901234));
    for (int round = 0; round < 2; round++) {
        for (int16_t i = 0; i < 64; i++) {
            items[i] = i;
        }
        marl__combat_rng_shuffle(&rng, items, 64);
    }
    ck_assert_mem_eq(&items[55], last_of_64, sizeof last_of_64);
    ck_assert_int_eq(items[63], 15);
    marl__combat_rng_shuffle(&rng, items, 0); /* nobody left */
    marl__combat_rng_shuffle(&rng, items, 1);
}
END_TEST

/* A half that was kept is used before a new number is drawn. */
START_TEST(halves_are_kept) {
    marl__combat_rng rng, whole;

    marl__combat_rng_seed(&rng, 7);
    marl__combat_rng_seed(&whole, 7);
    for (int i = 0; i < 5; i++) {
        uint64_t both = marl__combat_rng_u64(&whole);
        ck_assert_uint_eq(marl__combat_rng_u32(&rng), (uint32_t)both);
        ck_assert_uint_eq(marl__combat_rng_u32(&rng), (uint32_t)(both >> 32));
    }
}
END_TEST

/* ---- weapons ---- */

START_TEST(shields_take_first_and_armor_after) {
    battle *b = open_battle("2s3z", MARL__COMBAT_SMACLITE);
    int32_t stalker = id_of(b, MARL__COMBAT_ALLY, 0), zealot = id_of(b, MARL__COMBAT_ENEMY, 2);
    double *hp = &b->s->hp[zealot], *shield = &b->s->shield[zealot];

    ck_assert_double_eq(marl__combat_fire(b->world, stalker, zealot), 13); /* no bonus against light */
    ck_assert_double_eq(*shield, 37);
    ck_assert_double_eq(*hp, 100);
    ck_assert_double_eq(b->s->shield_timer[zealot], 10);
    *shield = 5;
    ck_assert_double_eq(marl__combat_fire(b->world, stalker, zealot), 5 + 7);
    ck_assert_double_eq(*hp, 93);
    *hp = 3;
    ck_assert_double_eq(marl__combat_fire(b->world, stalker, zealot), 3 + 10); /* no more than it had */
    ck_assert_double_eq(*hp, 0);
    ck_assert_double_eq(marl__combat_fire(b->world, stalker, zealot), 0);
    /* 8 twice against a stalker's armor of 1, once through the last of its shield; allies' losses pay nothing. */
    *hp = 100;
    b->s->shield[stalker] = 4;
    ck_assert_double_eq(marl__combat_fire(b->world, zealot, stalker), 0);
    ck_assert_double_eq(b->s->hp[stalker], 80 - 3 - 7);
    close_battle(b);
}
END_TEST

START_TEST(bonus_meets_its_attribute) {
    battle *b = open_battle("MMM2", MARL__COMBAT_SMACLITE);
    int32_t marauder = id_of(b, MARL__COMBAT_ALLY, 8), enemy = id_of(b, MARL__COMBAT_ENEMY, 9);

    ck_assert_str_eq(b->scenario.types[b->scenario.units[enemy].type].name, "marauder");
    ck_assert_double_eq(marl__combat_fire(b->world, marauder, enemy), 20 - 1);
    ck_assert_double_eq(marl__combat_fire(b->world, marauder, id_of(b, MARL__COMBAT_ENEMY, 1)), 10);
    close_battle(b);
}
END_TEST

START_TEST(a_shot_is_spent_on_the_dead_and_reloads) {
    battle *b = open_battle("3m", MARL__COMBAT_SMACLITE);
    int32_t first = id_of(b, MARL__COMBAT_ALLY, 0), enemy = id_of(b, MARL__COMBAT_ENEMY, 0);

    put(b, first, 10, 16);
    put(b, enemy, 14, 16);
    KEEP(b, first, enemy);
    order_attack(b, first, enemy);
    ck_assert_double_eq(marl__combat_world_tick(b->world), 6);
    ck_assert_double_eq(b->s->cooldown[first], 0.61);
    for (int i = 1; i < 10; i++) {
        ck_assert_double_eq(marl__combat_world_tick(b->world), 0); /* a marine fires every tenth tick */
    }
    ck_assert_double_eq(marl__combat_world_tick(b->world), 6);
    b->s->hp[enemy] = 6;
    b->s->cooldown[first] = 0;
    ck_assert_double_eq(marl__combat_world_tick(b->world), 16);
    ck_assert_int_eq(b->s->alive[enemy], 0);
    ck_assert_int_eq(b->s->alive_count[MARL__COMBAT_ENEMY], 0);
    b->s->cooldown[first] = 0;
    ck_assert_double_eq(marl__combat_world_tick(b->world), 0); /* at the place where it died */
    ck_assert_double_eq(b->s->cooldown[first], 0.61);
    ck_assert_int_eq(b->s->target[first], -1);
    ck_assert_float_eq(b->s->x[first], 10);
    close_battle(b);
}
END_TEST

START_TEST(banelings_die_of_their_blast) {
    battle *b = open_battle("bane_vs_bane", MARL__COMBAT_SMACLITE);
    int32_t mine = id_of(b, MARL__COMBAT_ALLY, 20), near = id_of(b, MARL__COMBAT_ENEMY, 4);
    int32_t edge = id_of(b, MARL__COMBAT_ENEMY, 5), beyond = id_of(b, MARL__COMBAT_ENEMY, 6);
    int32_t friendly = id_of(b, MARL__COMBAT_ALLY, 0), theirs = id_of(b, MARL__COMBAT_ENEMY, 0);

    ck_assert_str_eq(b->scenario.types[b->scenario.units[mine].type].name, "baneling");
    put(b, mine, 16, 16);
    put(b, near, 16.6f, 16);
    put(b, edge, 16, 18.57f);   /* 2.2 + 0.375 */
    put(b, beyond, 13.42f, 16);
    put(b, friendly, 16, 15.5f);
    put(b, theirs, 25, 20);
    KEEP(b, mine, near, edge, beyond, friendly, theirs);
    order_attack(b, mine, near);
    ck_assert_double_eq(marl__combat_world_tick(b->world), 2 * (35 + 10));
    ck_assert_int_eq(b->s->alive[mine], 0);
    ck_assert_int_eq(b->s->alive[near], 0);
    ck_assert_int_eq(b->s->alive[edge], 0);
    ck_assert_int_eq(b->s->alive[beyond], 1);
    ck_assert_double_eq(b->s->hp[friendly], 35);
    /* An enemy's own blast pays its remaining hp, but no kill. */
    put(b, theirs, 16, 16.4f);
    b->s->hp[theirs] = 11;
    order_attack(b, theirs, friendly);
    ck_assert_double_eq_tol(marl__combat_world_tick(b->world), 11 + 0.38 / 16, 1e-12);
    ck_assert_int_eq(b->s->alive_count[MARL__COMBAT_ALLY], 0);
    close_battle(b);
}
END_TEST

/* 2.8 wide across the shot, 0.3 deep; zerglings have radius 0.375. A candidate must have its centre within 1.408. */
START_TEST(a_beam_is_a_rectangle_across_the_shot) {
    battle *b = open_battle("2c_vs_64zg", MARL__COMBAT_SMACLITE);
    int32_t colossus = id_of(b, MARL__COMBAT_ALLY, 0), zergling[6];
    static const float offsets[6][2] = {{0, 0}, {1.3f, 0}, {-1.4f, 0.1f}, {0.8f, 0.5f}, {0.8f, -0.6f}, {1.5f, 0}};
    static const int is_hit[6] = {1, 1, 1, 1, 0, 0};

    for (int turned = 0; turned < 2; turned++) { /* dx = 0, then dy = 0 */
        marl__combat_world_reset(b->world, 1);
        put(b, colossus, 16, 16);
        for (int i = 0; i < 6; i++) {
            zergling[i] = id_of(b, MARL__COMBAT_ENEMY, i);
            put(b, zergling[i], 16 + (turned ? 5 + offsets[i][1] : offsets[i][0]),
                16 + (turned ? offsets[i][0] : 5 + offsets[i][1]));
        }
        KEEP(b, colossus, zergling[0], zergling[1], zergling[2], zergling[3], zergling[4], zergling[5]);
        memcpy(b->world->start_x, b->s->x, sizeof b->s->x);
        memcpy(b->world->start_y, b->s->y, sizeof b->s->y);
        ck_assert_double_eq(marl__combat_fire(b->world, colossus, zergling[0]), 4 * 2 * 15);
        for (int i = 0; i < 6; i++) {
            ck_assert_msg(b->s->hp[zergling[i]] == (is_hit[i] ? 5 : 35), "zergling %d has %g", i,
                          b->s->hp[zergling[i]]);
        }
    }
    /* The place of one that is long gone. */
    KEEP(b, colossus, zergling[5]);
    put(b, zergling[0], 3, 10);
    ck_assert_double_eq(marl__combat_fire(b->world, colossus, zergling[0]), 0);
    /* Itself as the place: no direction, no hit, no crash. */
    put(b, zergling[5], 16, 16);
    b->world->start_x[zergling[5]] = b->world->start_y[zergling[5]] = 16;
    ck_assert_double_eq(marl__combat_fire(b->world, colossus, zergling[5]), 0);
    close_battle(b);
}
END_TEST

START_TEST(medics_heal_for_energy) {
    battle *b = open_battle("MMM", MARL__COMBAT_SMACLITE);
    int32_t medic = id_of(b, MARL__COMBAT_ALLY, 0), marine = id_of(b, MARL__COMBAT_ALLY, 1);
    double gained = 0;

    put(b, medic, 10, 16);
    put(b, marine, 12, 16);
    KEEP(b, medic, marine, id_of(b, MARL__COMBAT_ENEMY, 0));
    b->s->hp[marine] = 20;
    order_attack(b, medic, marine);
    for (int i = 0; i < 16; i++) {
        marl__combat_world_tick(b->world);
    }
    ck_assert_double_eq_tol(b->s->hp[marine], 29, 1e-9); /* 9 a second */
    ck_assert_double_eq_tol(b->s->energy[medic], 50 + 0.5625 - 3, 1e-9); /* 3 hp a point, by whole points */
    /* Below 5 points a medic goes on with its patient, but takes up no new one. */
    b->s->energy[medic] = 0;
    b->s->heal_buffer[medic] = 0;
    b->s->hp[marine] = 20;
    for (int i = 0; i < 4; i++) {
        marl__combat_world_tick(b->world);
    }
    gained = b->s->hp[marine] - 20;
    ck_assert_double_gt(gained, 0);
    ck_assert_double_lt(gained, 0.5);
    b->s->target[medic] = -1;
    marl__combat_world_tick(b->world);
    ck_assert_double_eq(b->s->hp[marine], 20 + gained);
    close_battle(b);
}
END_TEST

START_TEST(who_dies_within_a_tick_may_be_healed_back) {
    battle *b = open_battle("MMM2", MARL__COMBAT_SMACLITE);
    int32_t medic = id_of(b, MARL__COMBAT_ALLY, 0), marine = id_of(b, MARL__COMBAT_ALLY, 1);

    b->s->hp[marine] = 0;
    b->s->target[medic] = (int16_t)marine;
    b->world->previous_target[medic] = (int16_t)marine;
    marl__combat_fire(b->world, medic, marine);
    ck_assert_double_eq(b->s->hp[marine], 9.0 / 16);
    b->s->hp[marine] = 0;
    marl__combat_world_tick(b->world);
    ck_assert_int_eq(b->s->alive[marine], 0);
    b->s->energy[medic] = 50;
    marl__combat_fire(b->world, medic, marine);
    ck_assert_double_eq(b->s->hp[marine], 0);
    ck_assert_double_eq(b->s->energy[medic], 50);
    close_battle(b);
}
END_TEST

/* ---- aiming ---- */

START_TEST(enemies_take_up_healers_then_the_nearest) {
    battle *b = open_battle("MMM", MARL__COMBAT_SMACLITE);
    int32_t medic = id_of(b, MARL__COMBAT_ALLY, 0), marine = id_of(b, MARL__COMBAT_ALLY, 1);
    int32_t other = id_of(b, MARL__COMBAT_ALLY, 2), enemy = id_of(b, MARL__COMBAT_ENEMY, 1);

    put(b, enemy, 20, 16);
    put(b, other, 17, 16);
    put(b, marine, 16, 16);
    put(b, medic, 15, 16);
    KEEP(b, medic, marine, other, enemy);
    b->s->order[enemy] = MARL__COMBAT_ADVANCE;
    marl__combat_aim(b->world);
    ck_assert_int_eq(b->s->target[enemy], medic);
    put(b, medic, 14.2f, 16); /* beyond 5 + 0.75 */
    b->s->target[enemy] = -1;
    marl__combat_aim(b->world);
    ck_assert_int_eq(b->s->target[enemy], other);
    /* One in sight is kept while in the weapon's reach; who aims from afar is seen if nobody else is. */
    put(b, marine, 18, 16);
    KEEP(b, marine, other, enemy);
    b->s->order[enemy] = MARL__COMBAT_ADVANCE;
    marl__combat_aim(b->world);
    ck_assert_int_eq(b->s->target[enemy], other);
    put(b, other, 1, 16);
    put(b, marine, 2, 16);
    order_attack(b, other, enemy);
    marl__combat_aim(b->world);
    ck_assert_int_eq(b->s->target[enemy], other);
    close_battle(b);
}
END_TEST

START_TEST(simple_opponents) {
    static const int32_t opponents[] = {MARL__COMBAT_NEAREST, MARL__COMBAT_FOCUS};

    for (int i = 0; i < 2; i++) {
        battle *b = open_battle("3m", opponents[i]);
        int32_t ally[3], enemy = id_of(b, MARL__COMBAT_ENEMY, 0);
        for (int j = 0; j < 3; j++) {
            ally[j] = id_of(b, MARL__COMBAT_ALLY, j);
        }
        put(b, enemy, 20, 16);
        put(b, ally[0], 1, 16);
        put(b, ally[1], 16, 16);
        put(b, ally[2], 15, 16);
        b->s->hp[ally[2]] = 7;
        b->s->hp[ally[0]] = 1; /* weaker, but out of reach */
        KEEP(b, ally[0], ally[1], ally[2], enemy);
        b->s->order[enemy] = MARL__COMBAT_ADVANCE;
        marl__combat_aim(b->world);
        ck_assert_int_eq(b->s->target[enemy], opponents[i] == MARL__COMBAT_FOCUS ? ally[2] : ally[1]);
        ck_assert_int_eq(b->s->attacking[enemy], 1);
        put(b, ally[1], 10, 16);
        put(b, ally[2], 9, 16);
        marl__combat_aim(b->world);
        ck_assert_int_eq(b->s->target[enemy], ally[1]);
        ck_assert_float_lt(b->world->wish_x[enemy], -3);
        KEEP(b, enemy); /* nobody left: to the point of attack */
        b->s->order[enemy] = MARL__COMBAT_ADVANCE;
        marl__combat_aim(b->world);
        ck_assert_int_eq(b->s->target[enemy], -1);
        ck_assert_float_lt(b->world->wish_x[enemy], -3);
        close_battle(b);
    }
}
END_TEST

/* ---- moving ---- */

/* Nobody walks through anybody: after a battle of pushing, living units of a plane hardly overlap. */
START_TEST(units_keep_apart) {
    battle *b = open_battle("2c_vs_64zg", MARL__COMBAT_SMACLITE);
    float worst = 0;

    marl__combat_world_reset(b->world, 3);
    for (int i = 0; i < 120; i++) {
        marl__combat_world_tick(b->world);
    }
    for (int32_t i = 0; i < b->scenario.unit_count; i++) {
        for (int32_t j = 0; j < i; j++) {
            float apart = hypotf(b->s->x[i] - b->s->x[j], b->s->y[i] - b->s->y[j]);
            if (b->s->alive[i] && b->s->alive[j]) {
                worst = fmaxf(worst, b->world->bodies[i].radius + b->world->bodies[j].radius - apart);
            }
        }
        ck_assert(isfinite(b->s->x[i]) && isfinite(b->s->vx[i]));
    }
    ck_assert_float_lt(worst, 0.3f);
    close_battle(b);
}
END_TEST

START_TEST(walls_hold) {
    battle *b = open_battle("3m", MARL__COMBAT_SMACLITE);
    int32_t marine = id_of(b, MARL__COMBAT_ALLY, 0);

    KEEP(b, marine);
    put(b, marine, 10, 20);
    b->s->order[marine] = MARL__COMBAT_MOVE;
    b->s->goal_x[marine] = 10;
    b->s->goal_y[marine] = 30;
    for (int i = 0; i < 60; i++) {
        marl__combat_world_tick(b->world);
    }
    ck_assert_float_gt(b->s->y[marine], 23);
    ck_assert_float_lt(b->s->y[marine], 24 - 0.37f);
    close_battle(b);
}
END_TEST

/* ---- states ---- */

static void random_orders(battle *b, marl__rng *rng) {
    for (int32_t id = 0; id < b->scenario.unit_count; id++) {
        if (b->scenario.units[id].side == MARL__COMBAT_ALLY) {
            b->s->order[id] = (uint8_t)(MARL__COMBAT_STOP + marl__rng_below(rng, 3));
            b->s->goal_x[id] = b->s->x[id] + 4 * marl__rng_real(rng) - 2;
            b->s->goal_y[id] = b->s->y[id] + 4 * marl__rng_real(rng) - 2;
            b->s->order_target[id] = (int16_t)marl__rng_below(rng, (uint32_t)b->scenario.unit_count);
        }
    }
}

static double play(battle *b, uint64_t seed, int ticks) {
    marl__rng rng;
    double reward = 0;

    marl__rng_init(&rng, seed, 0);
    for (int i = 0; i < ticks; i++) {
        if (i % MARL__COMBAT_TICKS == 0) {
            random_orders(b, &rng);
        }
        reward += marl__combat_world_tick(b->world);
    }
    return reward;
}

START_TEST(a_copy_goes_on_alike) {
    static const char *const maps[] = {"MMM2", "bane_vs_bane", "corridor", "2s3z"};

    for (int i = 0; i < 4; i++) {
        battle *a = open_battle(maps[i], MARL__COMBAT_SMACLITE), *b = open_battle(maps[i], MARL__COMBAT_SMACLITE);
        marl__combat_world_reset(a->world, 11);
        play(a, 1, 80);
        memcpy(b->s, a->s, sizeof *a->s);
        marl__combat_world_restored(b->world);
        ck_assert_mem_eq(a->s, b->s, sizeof *a->s);
        ck_assert_double_eq(play(a, 2, 80), play(b, 2, 80));
        ck_assert_mem_eq(a->s, b->s, sizeof *a->s);
        /* And a world that was used before starts like a new one. */
        marl__combat_world_reset(a->world, 12);
        play(a, 3, 40);
        close_battle(b);
        b = open_battle(maps[i], MARL__COMBAT_SMACLITE);
        marl__combat_world_reset(b->world, 12);
        play(b, 3, 40);
        ck_assert_mem_eq(a->s, b->s, sizeof *a->s);
        close_battle(a);
        close_battle(b);
    }
}
END_TEST

/* The order of the neighbour tree comes from outside too: one that does not fit the living starts anew. */
START_TEST(a_broken_tree_is_mended) {
    battle *b = open_battle("MMM", MARL__COMBAT_SMACLITE);

    for (int broken = 0; broken < 5; broken++) {
        marl__combat_world_reset(b->world, 5);
        b->s->alive[3] = 0;
        b->s->hp[3] = 0;
        switch (broken) {
        case 0: b->s->tree_count[0] = 256; break;
        case 1: b->s->tree[0][2] = b->s->tree[0][1]; break;
        case 2: b->s->tree[0][0] = -7; break;
        case 3: b->s->tree[1][0] = 300; break;
        default: b->s->alive_count[0] = -1; break;
        }
        marl__combat_world_restored(b->world);
        ck_assert_int_eq(b->s->alive_count[0], 9);
        ck_assert_int_eq(b->s->tree_count[0], 17);
        ck_assert_int_eq(b->s->tree_count[1], 2);
        for (int32_t i = 1; i < 17; i++) {
            ck_assert_int_lt(b->s->tree[0][i - 1], b->s->tree[0][i]);
        }
        play(b, 4, 16);
    }
    close_battle(b);
}
END_TEST

/* Everybody on one spot, out of the map, with nobody left: odd, but a battle. */
START_TEST(odd_states_do_no_harm) {
    battle *b = open_battle("27m_vs_30m", MARL__COMBAT_SMACLITE);

    for (int32_t id = 0; id < b->scenario.unit_count; id++) {
        put(b, id, 16, 16);
    }
    marl__combat_world_restored(b->world);
    play(b, 5, 24);
    for (int32_t id = 0; id < b->scenario.unit_count; id++) {
        put(b, id, id % 2 ? -1e30f : 1e30f, id % 3 ? 3e38f : -5);
    }
    play(b, 6, 16);
    memset(b->s->alive, 0, sizeof b->s->alive);
    marl__combat_world_restored(b->world);
    ck_assert_double_eq(play(b, 7, 16), 0);
    close_battle(b);
}
END_TEST

Suite *marl__suite_envs_combat_world(void) {
    Suite *suite = suite_create("envs/combat_world");
    TCase *cases = tcase_create("world");

    tcase_set_timeout(cases, 0);
    tcase_add_test(cases, numbers_are_those_of_numpy);
    tcase_add_test(cases, halves_are_kept);
    tcase_add_test(cases, shields_take_first_and_armor_after);
    tcase_add_test(cases, bonus_meets_its_attribute);
    tcase_add_test(cases, a_shot_is_spent_on_the_dead_and_reloads);
    tcase_add_test(cases, banelings_die_of_their_blast);
    tcase_add_test(cases, a_beam_is_a_rectangle_across_the_shot);
    tcase_add_test(cases, medics_heal_for_energy);
    tcase_add_test(cases, who_dies_within_a_tick_may_be_healed_back);
    tcase_add_test(cases, enemies_take_up_healers_then_the_nearest);
    tcase_add_test(cases, simple_opponents);
    tcase_add_test(cases, units_keep_apart);
    tcase_add_test(cases, walls_hold);
    tcase_add_test(cases, a_copy_goes_on_alike);
    tcase_add_test(cases, a_broken_tree_is_mended);
    tcase_add_test(cases, odd_states_do_no_harm);
    suite_add_tcase(suite, cases);
    return suite;
}
