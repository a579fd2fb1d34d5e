/* SPDX-License-Identifier: Apache-2.0 */
/* The registry of nets, and how initial values are drawn. */
#include <math.h>

#include "nets/net_rig.h"

Suite *marl__suite_nets_net(void);

START_TEST(test_registry) {
    const marl__net_type *type = NULL;
    ck_assert_uint_ge(marl__net_type_count(), 2);
    for (uint32_t i = 0; i < marl__net_type_count(); i++) {
        const marl__net_type *at = marl__net_type_at(i);
        rig_ok(marl__net_type_find(at->name, &type));
        ck_assert_ptr_eq(type, at);
        ck_assert(at->help[0] && at->configure && at->declare && at->build && at->keys.count > 0);
    }
    ck_assert_ptr_null(marl__net_type_at(marl__net_type_count()));
    ck_assert_int_eq(marl__net_type_find("gruu", &type), MARL_E_NAME);
    ck_assert_ptr_null(type);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "\"gru\""));
    ck_assert_int_eq(marl__net_type_find("something else", &type), MARL_E_NAME);
}
END_TEST

START_TEST(test_activations) {
    ck_assert_int_eq(marl__activation_find("relu"), MARL__RELU);
    ck_assert_int_eq(marl__activation_find("identity"), MARL__IDENTITY);
    ck_assert_int_eq(marl__activation_find("sigmoid"), MARL__SIGMOID);
    ck_assert_int_eq(marl__activation_find("softmax"), -1);
    ck_assert_int_eq(marl__activation_find(""), -1);
}
END_TEST

START_TEST(test_impossible_shapes) {
    static const marl__net_shape shapes[] = {{0, 3, 1}, {3, 0, 1}, {-1, 3, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        net_rig r;
        ck_assert_int_eq(rig_declare(&r, "mlp", NULL, 1, shapes[i]), MARL_E_SHAPE);
        rig_close(&r);
    }
}
END_TEST

/* The same seed draws the same, another seed another, and a wider layer leaves the others' numbers alone. */
START_TEST(test_seeds) {
    static const char *const narrow[] = {"hidden_sizes", "8,16", NULL}, *const wide[] = {"hidden_sizes", "8,32", NULL};
    net_rig a, b, c, d;
    const marl__net_shape shape = {5, 3, 1};
    rig_ok(rig_declare(&a, "mlp", narrow, 1, shape));
    rig_ok(rig_declare(&b, "mlp", narrow, 1, shape));
    rig_ok(rig_declare(&c, "mlp", narrow, 1, shape));
    rig_ok(rig_declare(&d, "mlp", wide, 1, shape));
    rig_fill(&a, 7);
    rig_fill(&b, 7);
    rig_fill(&c, 8);
    rig_fill(&d, 7);
    ck_assert_mem_eq(a.version.flat, b.version.flat, a.params->floats * sizeof(float));
    ck_assert(memcmp(a.version.flat, c.version.flat, a.params->floats * sizeof(float)) != 0);
    ck_assert_mem_eq(rig_param(&a, "fc1.weight"), rig_param(&d, "fc1.weight"), 5 * 8 * sizeof(float));
    ck_assert_mem_eq(rig_param(&a, "fc2.weight"), rig_param(&d, "fc2.weight"), 8 * 16 * sizeof(float));
    ck_assert(memcmp(rig_param(&a, "fc1.bias"), rig_param(&a, "fc2.bias"), 8 * sizeof(float)) != 0);
    rig_close(&a);
    rig_close(&b);
    rig_close(&c);
    rig_close(&d);
}
END_TEST

static double dot(const float *a, const float *b, int32_t n, int32_t stride) {
    double sum = 0.0;
    for (int32_t i = 0; i < n; i++) sum += (double)a[i * stride] * (double)b[i * stride];
    return sum;
}

/* Rows (or columns, where there are fewer) of length gain and at right angles; biases 0. */
START_TEST(test_orthogonal) {
    static const char *const settings[] = {"hidden_sizes", "24,8", "init", "orthogonal", "init_gain", "2",
                                           "output_gain", "0.01", NULL};
    static const struct { const char *name; int32_t rows, cols; double gain; } weights[] = {
        {"fc1.weight", 24, 10, 2.0}, {"fc2.weight", 8, 24, 2.0}, {"fc3.weight", 5, 8, 0.01}};
    net_rig r;
    rig_ok(rig_declare(&r, "mlp", settings, 3, (marl__net_shape){10, 5, 3}));
    rig_fill(&r, 9);
    for (int32_t w = 0; w < 3; w++)
        for (int32_t group = 0; group < 3; group++) {
            int32_t rows = weights[w].rows, cols = weights[w].cols, by_rows = rows <= cols;
            const float *x = rig_param(&r, weights[w].name) + group * rows * cols;
            int32_t vectors = by_rows ? rows : cols, length = by_rows ? cols : rows;
            int32_t step = by_rows ? cols : 1, stride = by_rows ? 1 : cols;
            double square = weights[w].gain * weights[w].gain;
            for (int32_t i = 0; i < vectors; i++)
                for (int32_t j = 0; j <= i; j++)
                    ck_assert_double_eq_tol(dot(x + i * step, x + j * step, length, stride), i == j ? square : 0.0,
                                            1e-5 * square);
        }
    for (int32_t i = 0; i < 24; i++) ck_assert_float_eq(rig_param(&r, "fc1.bias")[i], 0.0f);
    ck_assert(memcmp(rig_param(&r, "fc1.weight"), rig_param(&r, "fc1.weight") + 240, 240 * sizeof(float)) != 0);
    rig_close(&r);
}
END_TEST

/* Ranges and entries stand on 64-byte boundaries, with zeros between. */
START_TEST(test_layout) {
    static const char *const settings[] = {"hidden_sizes", "3,5", NULL};
    net_rig r;
    rig_ok(rig_declare(&r, "mlp", settings, 1, (marl__net_shape){7, 2, 1}));
    rig_fill(&r, 1);
    size_t at = 0;
    for (int32_t i = 0; i < r.params->count; i++) {
        const marl__param *param = &r.params->list[i];
        ck_assert_uint_eq(param->offset % 16, 0);
        for (; at < param->offset; at++) ck_assert_float_eq(r.version.flat[at], 0.0f);
        at = param->offset + param->count;
    }
    for (; at < r.params->floats; at++) ck_assert_float_eq(r.version.flat[at], 0.0f);
    rig_close(&r);
}
END_TEST

Suite *marl__suite_nets_net(void) {
    Suite *suite = suite_create("nets/net");
    TCase *tests = tcase_create("net");
    tcase_add_test(tests, test_registry);
    tcase_add_test(tests, test_activations);
    tcase_add_test(tests, test_impossible_shapes);
    tcase_add_test(tests, test_seeds);
    tcase_add_test(tests, test_orthogonal);
    tcase_add_test(tests, test_layout);
    suite_add_tcase(suite, tests);
    return suite;
}
