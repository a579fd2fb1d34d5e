/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario files: what they can say, and every way in which one can be wrong, each with file, line and reason. */
#include "combat_tools.h"

#include <math.h>
#include <unistd.h>

#include "support/support.h"

Suite *marl__suite_envs_combat_file(void);

static char dir[64], path[128], name[160];

static void make_dir(void) {
    snprintf(dir, sizeof dir, "/tmp/marl-combat-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/own.json", dir);
    snprintf(name, sizeof name, "combat:%s", path);
}

static void remove_dir(void) {
    unlink(path);
    rmdir(dir);
}

static void write_file(const char *text) {
    FILE *file = fopen(path, "w");

    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

#define GROUPS(allies, enemies)                                                                                        \
    "\"groups\": [\n{\"side\": \"ally\", \"at\": [4, 8], \"units\": [" allies "]},\n"                                \
    "{\"side\": \"enemy\", \"at\": [12, 8], \"units\": [" enemies "]}\n]"
#define PART(type, count) "{\"type\": \"" type "\", \"count\": " count "}"
#define OPEN "{\n\"size\": [16, 16],\n\"attack_point\": [4, 8],\n"

/* ---- good files ---- */

/* A copy of 3m is 3m: rules hash equal, and so does a battle. */
START_TEST(test_copy_of_a_map) {
    char text[4096];
    size_t at = 0;
    marl_env *own = NULL, *map = NULL;
    static sight a, b;

    at += (size_t)snprintf(text + at, sizeof text - at, "{\"terrain\": [");
    for (int row = 0; row < 32; row++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s\"%s\"", row ? ",\n" : "",
                               row >= 8 && row < 24 ? "................................"
                                                    : "################################");
    }
    snprintf(text + at, sizeof text - at,
             "],\n\"attack_point\": [9, 16], \"episode_limit\": 60, \"groups\": ["
             "{\"side\": \"ally\", \"at\": [9, 16], \"units\": [" PART("marine", "3") "]},"
             "{\"side\": \"enemy\", \"at\": [23, 16], \"units\": [" PART("marine", "3") "]}]}");
    write_file(text);
    own = open_combat(name, NULL);
    map = open_combat("combat:3m", NULL);
    ck_assert_str_eq(marl_env_get_spec(own)->name, name);
    ck_assert_uint_eq(marl_env_get_spec(own)->hash, marl_env_get_spec(map)->hash);
    for (int k = 0; k < 12; k++) {
        act(own, (const int32_t[]){EAST, k % 2 ? EAST : STOP, EAST});
        act(map, (const int32_t[]){EAST, k % 2 ? EAST : STOP, EAST});
    }
    look_around(own, &a);
    look_around(map, &b);
    ck_assert_int_eq(memcmp(a.obs, b.obs, 90 * sizeof a.obs[0]), 0);
    marl_env_destroy(own);
    marl_env_destroy(map);
}
END_TEST

/* Own types: each key does what it says, and what is not said comes from the base. */
START_TEST(test_own_types) {
    marl_env *env = NULL;
    const marl_env_spec *spec = NULL;
    battle b;

    write_file(OPEN "\"types\": {\"tank\": {\"base\": \"marauder\", \"hp\": 300, \"shield\": 60, \"size\": 2},\n"
                    "\"nurse\": {\"base\": \"medivac\", \"plane\": \"ground\", \"energy\": 80,\n"
                    "\"initial_energy\": 8},\n"
                    "\"heavy\": {\"base\": \"tank\", \"armor\": 5, \"hits\": [\"ground\", \"air\"],\n"
                    "\"weapon\": \"beam\", "
                    "\"beam_width\": 1, \"beam_height\": 0.5, \"attributes\": [\"armored\", \"massive\"],\n"
                    "\"bonus\": 3, \"bonus_attribute\": \"light\", \"attacks\": 2, \"range\": 4, \"damage\": 9,\n"
                    "\"cooldown\": 1, \"speed\": 2, \"scan\": 6, \"regeneration\": 1}},\n"
               GROUPS(PART("tank", "2") "," PART("nurse", "2") "," PART("marine", "1"), PART("heavy", "2")) "}");
    env = open_combat(name, NULL);
    spec = marl_env_get_spec(env);
    ck_assert_uint_eq(spec->agent_count, 5);
    ck_assert_uint_eq(spec->episode_limit, 200);
    /* four types: heavy, marine, nurse, tank; shields on both sides */
    ck_assert_uint_eq(marl_env_obs_size(env), 4 + 2 * (5 + 1 + 4) + 4 * (5 + 1 + 4) + 6);
    ck_assert_uint_eq(marl_env_action_count(env), 6 + 3);
    /* nurses are agents 2 and 3: a class each, with the rows behind them one entity earlier */
    ck_assert_uint_eq(spec->class_count, 3);
    ck_assert_uint_eq(spec->agent_class[2], 1);
    ck_assert_uint_eq(spec->agent_class[3], 2);
    ck_assert_uint_eq(spec->classes[1].action_target_count, 1); /* with three targets, agents 0, 1 and 2 are named */
    ck_assert_uint_eq(spec->classes[1].action_targets[0].count, 2);
    ck_assert_uint_eq(spec->classes[2].action_targets[0].count, 3);
    b = get_battle(env, 7);
    ck_assert(b.unit[0][HP] > 299 && b.unit[0][SHIELD] > 59 && b.unit[2][ENERGY] > 7 && b.unit[2][ENERGY] < 9);
    ck_assert(fabsf(b.unit[1][X] - b.unit[0][X] - 2.05f) < 1e-5f);
    for (int k = 0; k < 20; k++) {
        act(env, (const int32_t[]){STOP, STOP, STOP, STOP, STOP});
    }
    marl_env_destroy(env);
}
END_TEST

/* A healer in the middle: rows before it and behind it. */
START_TEST(test_healer_in_the_middle) {
    marl_env *env = NULL;
    const marl_action_target *runs = NULL;

    write_file(OPEN GROUPS(PART("marine", "2") "," PART("medivac", "1") "," PART("marine", "2"),
                           PART("marine", "6")) "}");
    env = open_combat(name, NULL);
    ck_assert_uint_eq(marl_env_get_spec(env)->classes[1].action_target_count, 2);
    runs = marl_env_get_spec(env)->classes[1].action_targets;
    ck_assert(runs[0].first_action == 6 && runs[0].count == 2 && runs[0].first_entity == 0);
    ck_assert(runs[1].first_action == 9 && runs[1].count == 2 && runs[1].first_entity == 2);
    marl_env_destroy(env);
}
END_TEST

/* The example of the manual is a battle. */
START_TEST(test_example) {
    marl_env *env = NULL;

    if (access("examples/ambush.json", R_OK) != 0) {
        marl__test_skip("examples/ambush.json is read from the top of the source tree");
        return;
    }
    env = open_combat("combat:examples/ambush.json", NULL);
    ck_assert_uint_eq(marl_env_get_spec(env)->agent_count, 5);
    ck_assert_uint_eq(marl_env_action_count(env), 6 + 12);
    act(env, (const int32_t[]){EAST, EAST, STOP, STOP, STOP});
    marl_env_destroy(env);
}
END_TEST

/* ---- bad files ---- */

typedef struct bad {
    const char *text, *sentence; /* behind the path */
} bad;

#define FIGHT GROUPS(PART("marine", "2"), PART("marine", "2"))

static const bad bad_files[] = {
    {"{", "a key is missing at byte 1, line 1"},
    {"{\"size\": [16, 16],\n\"size\": [3, 3]}", "the key \"size\" stands twice"},
    {"[1]", ":1: a scenario is an array; expected an object"},
    {OPEN FIGHT ",\n\"wether\": 3}", ":8: no key \"wether\""},
    {"{\n\"attack_point\": [4, 8],\n" FIGHT "}", ":1: a scenario has either \"terrain\""},
    {"{\n\"size\": [16],\n\"attack_point\": [4, 8],\n" FIGHT "}", ":2: \"size\" is not two numbers"},
    {"{\n\"size\": [16, 65],\n\"attack_point\": [4, 8],\n" FIGHT "}",
     ":2: the height is 65; expected a whole number from 1 to 64"},
    {"{\n\"size\": [1e300, 16],\n\"attack_point\": [4, 8],\n" FIGHT "}", ":2: the width is 1e300"},
    {"{\n\"size\": [16.5, 16],\n\"attack_point\": [4, 8],\n" FIGHT "}", ":2: the width is 16.5"},
    {"{\n\"size\": \"big\",\n\"attack_point\": [4, 8],\n" FIGHT "}", ":2: \"size\" is a text; expected an array"},
    {"{\n\"terrain\": [],\n\"attack_point\": [4, 8],\n" FIGHT "}", ":2: the terrain has 0 rows"},
    {"{\n\"terrain\": [\"....\",\n\"...\"],\n\"attack_point\": [1, 1],\n" FIGHT "}",
     ":3: this row of the terrain has 3 cells, the first one 4"},
    {"{\n\"terrain\": [\"....\",\n\".x..\"],\n\"attack_point\": [1, 1],\n" FIGHT "}",
     ":3: a row of the terrain consists of '.'"},
    {"{\n\"terrain\": [\"....\",\n7],\n\"attack_point\": [1, 1],\n" FIGHT "}",
     ":3: a row of the terrain is a number; expected a text"},
    {"{\n\"size\": [16, 16],\n" FIGHT "}", ":1: a scenario lacks the key \"attack_point\""},
    {"{\n\"size\": [16, 16],\n\"attack_point\": [4, 17],\n" FIGHT "}",
     ":3: \"attack_point\" is 17; expected a number from 0 to 16"},
    {"{\n\"size\": [16, 16],\n\"attack_point\": [4],\n" FIGHT "}", ":3: \"attack_point\" has 1 numbers; expected two"},
    {OPEN "\"episode_limit\": 0,\n" FIGHT "}", ":4: \"episode_limit\" is 0; expected a whole number from 1"},
    {OPEN "\"types\": {}}", ":1: a scenario lacks the key \"groups\""},
    {OPEN "\"groups\": 3}", ":4: \"groups\" is a number; expected an array"},
    {OPEN "\"groups\": []}", ":4: the allies have no units"},
    {OPEN "\"groups\": [{\"side\": \"ally\", \"at\": [4, 8],\n\"units\": [" PART("marine", "2") "]}]}",
     ":4: the enemies have no units"},
    {OPEN "\"groups\": [\n{\"side\": \"ally\", \"at\": [4, 8], \"units\": []}]}", ":5: this group has no units"},
    {OPEN "\"groups\": [\n{\"side\": \"foe\", \"at\": [4, 8], \"units\": []}]}", ":5: no side \"foe\""},
    {OPEN "\"groups\": [\n{\"at\": [4, 8], \"units\": []}]}", ":5: a group lacks the key \"side\""},
    {OPEN "\"groups\": [\n{\"side\": \"ally\", \"at\": [4, -1], \"units\": []}]}", ":5: \"at\" is -1"},
    {OPEN "\"groups\": [\n{\"side\": \"ally\", \"at\": [4, 8], \"units\": [], \"speed\": 3}]}", ":5: no key \"speed\""},
    {OPEN GROUPS(PART("marien", "2"), PART("marine", "2")) "}",
     ":5: no unit type \"marien\"; did you mean \"marine\"?"},
    {OPEN GROUPS(PART("marine", "2"), PART("marine", "0")) "}",
     ":6: \"count\" is 0; expected a whole number from 1 to 256"},
    {OPEN GROUPS(PART("marine", "2"), PART("marine", "4294967297")) "}", ":6: \"count\" is 4294967297"},
    {OPEN GROUPS(PART("marine", "2"), PART("marine", "255")) "}",
     ":6: 255 more units are too many: a battle holds 256"},
    {OPEN GROUPS("{\"count\": 2}", PART("marine", "2")) "}", ":5: a part of a group lacks the key \"type\""},
    {OPEN GROUPS("{\"type\": \"marine\"}", PART("marine", "2")) "}", ":5: a part of a group lacks the key \"count\""},
    {OPEN GROUPS("3", PART("marine", "2")) "}", ":5: a part of a group is a number; expected an object"},
    {OPEN GROUPS(PART("marine", "200"), PART("marine", "2")) "}", ":5: ally 0 (marine) would stand at"},
    {"{\n\"terrain\": [\"........\", \"........\", \"......##\"],\n\"attack_point\": [1, 1], \"groups\": [\n"
     "{\"side\": \"ally\", \"at\": [1, 1], \"units\": [" PART("marine", "1") "]},\n"
     "{\"side\": \"enemy\", \"at\": [7, 0.5], \"units\": [" PART("zealot", "1") "]}]}",
     ":5: enemy 0 (zealot) would stand at (7, 0.5), inside a wall"},
    {OPEN "\"groups\": [\n{\"side\": \"ally\", \"at\": [4, 8], \"units\": [" PART("marine", "1") "]},\n"
     "{\"side\": \"enemy\", \"at\": [4.5, 8], \"units\": [" PART("zealot", "1") "]}]}",
     ":6: enemy 0 (zealot) at (4.5, 8) would overlap ally 0 (marine) at (4, 8): 0.5 apart, at least 0.875 are needed"},
    {OPEN "\"types\": 3, " FIGHT "}", ":4: \"types\" is a number; expected an object"},
    {OPEN "\"types\": {\"tank\": {\"hp\": 3}}, " FIGHT "}", ":4: a unit type lacks the key \"base\""},
    {OPEN "\"types\": {\"tank\": {\"base\": \"marin\"}}, " FIGHT "}", ":4: no unit type \"marin\"; did you mean"},
    {OPEN "\"types\": {\"marine\": {\"base\": \"zealot\"}}, " FIGHT "}", ":4: there is a unit type \"marine\" already"},
    {OPEN "\"types\": {\"\": {\"base\": \"zealot\"}}, " FIGHT "}",
     ":4: the name of a unit type has from 1 to 31 bytes"},
    {OPEN "\"types\": {\"tank\": {\"base\": \"zealot\",\n\"hp\": 0}}, " FIGHT "}",
     ":5: hp is 0; expected a number from 1"},
    {OPEN "\"types\": {\"tank\": {\"base\": \"zealot\",\n\"hp\": \"3\"}}, " FIGHT "}",
     ":5: hp is a text; expected a number"},
    {OPEN "\"types\": {\"tank\": {\"base\": \"zealot\",\n\"speed\": -1}}, " FIGHT "}", ":5: speed is -1"},
    {OPEN "\"types\": {\"tank\": {\"base\": \"zealot\",\n\"size\": 0}}, " FIGHT "}", ":5: size is 0"},
    {OPEN "\"types\": {\"tank\": {\"base\": \"zealot\",\n\"attacks\": 1.5}}, " FIGHT "}", ":5: attacks is 1.5"},
    {OPEN "\"types\": {\"tank\": {\"base\": \"zealot\",\n\"heigth\": 1}}, " FIGHT "}", ":5: no key \"heigth\""},
    {OPEN "\"types\": {\"tank\": {\"base\": \"zealot\",\n\"weapon\": \"laser\"}}, " FIGHT "}",
     ":5: no weapon \"laser\""},
    {OPEN "\"types\": {\"tank\": {\"base\": \"zealot\",\n\"plane\": \"sea\"}}, " FIGHT "}", ":5: no plane \"sea\""},
    {OPEN "\"types\": {\"tank\": {\"base\": \"zealot\",\n\"hits\": [\"grond\"]}}, " FIGHT "}",
     ":5: no hits \"grond\"; did you mean \"ground\"?"},
    {OPEN "\"types\": {\"tank\": {\"base\": \"zealot\",\n\"weapon\": \"heal\"}}, " FIGHT "}",
     ":4: a healer needs energy"},
    {OPEN "\"types\": {\"tank\": {\"base\": \"zealot\",\n\"weapon\": \"beam\"}}, " FIGHT "}",
     ":4: a beam needs beam_width and beam_height"},
    {OPEN "\"types\": {\"tank\": {\"base\": \"zealot\",\n\"weapon\": \"kamikaze\"}}, " FIGHT "}",
     ":4: a kamikaze needs splash"},
    {OPEN "\"types\": {\"tank\": {\"base\": \"medivac\",\n\"initial_energy\": 201}}, " FIGHT "}",
     ":4: initial_energy 201 is above energy 200"},
};

START_TEST(test_bad_files) {
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        char expected[512];
        marl_env *env = NULL;
        write_file(bad_files[i].text);
        snprintf(expected, sizeof expected, "%s", bad_files[i].sentence);
        ck_assert_msg(kit_try(name, NULL, &env) != MARL_OK, "case %zu was taken: %s", i, bad_files[i].text);
        ck_assert_ptr_null(env);
        ck_assert_msg(strstr(marl_last_error(), path) != NULL, "case %zu: '%s' names no file", i, marl_last_error());
        ck_assert_msg(strstr(marl_last_error(), expected) != NULL, "case %zu: '%s' lacks '%s'", i, marl_last_error(),
                      expected);
    }
}
END_TEST

/* Seventeen own types, and sixteen of them with a marine in one battle. */
START_TEST(test_too_many_types) {
    char text[8192];
    marl_env *env = NULL;

    for (int declared = 16; declared <= 17; declared++) {
        size_t at = (size_t)snprintf(text, sizeof text, OPEN "\"types\": {");
        for (int t = 0; t < declared; t++) {
            at += (size_t)snprintf(text + at, sizeof text - at, "%s\"t%d\": {\"base\": \"zergling\"}", t ? "," : "", t);
        }
        at += (size_t)snprintf(text + at, sizeof text - at,
                               "},\n\"groups\": [\n{\"side\": \"enemy\", \"at\": [8, 8], \"units\": [");
        for (int t = 0; t < 16; t++) {
            at += (size_t)snprintf(text + at, sizeof text - at, "%s{\"type\": \"t%d\", \"count\": 1}", t ? "," : "", t);
        }
        snprintf(text + at, sizeof text - at,
                 "]},\n{\"side\": \"ally\", \"at\": [3, 3], \"units\": [" PART("marine", "1") "]}]}");
        write_file(text);
        ck_assert_int_ne(kit_try(name, NULL, &env), MARL_OK);
        ck_assert_msg(strstr(marl_last_error(), declared == 17 ? ":4: more than 16 unit types"
                                                               : ":7: more than 16 unit types take part") != NULL,
                      "%s", marl_last_error());
    }
}
END_TEST

/* Nothing that is cut off or has a byte changed may do more than be refused. */
START_TEST(test_damaged_files) {
    static const char whole[] = OPEN "\"types\": {\"tank\": {\"base\": \"marauder\", \"hp\": 300}},\n"
        GROUPS(PART("tank", "2"), PART("marine", "3")) "}";
    char text[sizeof whole];

    for (size_t cut = 0; cut < sizeof whole - 1; cut++) {
        marl_env *env = NULL;
        memcpy(text, whole, sizeof whole);
        text[cut] = '\0';
        write_file(text);
        ck_assert_int_ne(kit_try(name, NULL, &env), MARL_OK);
        memcpy(text, whole, sizeof whole);
        text[cut] = (char)(text[cut] ^ 0x11);
        write_file(text);
        if (text[cut] != '\0' && kit_try(name, NULL, &env) == MARL_OK) {
            marl_env_destroy(env);
        }
    }
}
END_TEST

Suite *marl__suite_envs_combat_file(void) {
    Suite *s = suite_create("envs/combat_file");
    TCase *tc = tcase_create("combat_file");

    suite_add_tcase(s, tc);
    tcase_add_checked_fixture(tc, make_dir, remove_dir);
    tcase_add_test(tc, test_copy_of_a_map);
    tcase_add_test(tc, test_own_types);
    tcase_add_test(tc, test_healer_in_the_middle);
    tcase_add_test(tc, test_example);
    tcase_add_test(tc, test_bad_files);
    tcase_add_test(tc, test_too_many_types);
    tcase_add_test(tc, test_damaged_files);
    return s;
}
