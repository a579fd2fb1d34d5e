/* SPDX-License-Identifier: Apache-2.0 */
/* marl_net against the same networks written out in double, rows side by side against rows alone, parameters by name
 * and by file. Letters: B rows, I inputs, Y outputs, H hidden. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "marl/marl.h"
#include "support/support.h"

Suite *marl__suite_run_net(void);

enum { B = 6, I = 9, Y = 4, H = 11, MOST = 64 };

#define CHECK(expression)                                                                                              \
    do {                                                                                                               \
        marl_status check_status = (expression);                                                                       \
        ck_assert_msg(check_status == MARL_OK, "%s: %s: %s", #expression, marl_status_name(check_status),              \
                      marl_last_error());                                                                              \
    } while (0)

static marl_device *device;

static void open_device(void) {
    CHECK(marl_device_open(NULL, "cpu", NULL, &device));
}

static void close_device(void) {
    marl_device_close(device);
    device = NULL;
}

static const char *const gru[] = {"net/gru", "hidden_dim", "11", NULL};
static const char *const norm_gru[] = {"net/gru", "hidden_dim", "11", "layer_norm", "1", NULL};
static const char *const forward_gru[] = {"net/gru", "hidden_dim", "11", "recurrent", "0", NULL};
static const char *const mlp[] = {"net/mlp", "hidden_sizes", "11,7", "activation", "tanh", NULL};
static const char *const base[] = {"net/base", "hidden_sizes", "11", "recurrent", "1", NULL};
static const char *const *const kinds[] = {gru, norm_gru, forward_gru, mlp, base};
enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

static marl_net *create_on(marl_device *own, const char *const *keys, int seed) {
    marl_config *config = NULL;
    marl_net *net = NULL;

    CHECK(marl_config_create(NULL, keys[0], &config));
    for (const char *const *at = keys + 1; *at; at += 2) CHECK(marl_config_set(config, at[0], at[1]));
    CHECK(marl_config_set_int(config, "seed", seed));
    CHECK(marl_net_create(own, config, I, Y, B, &net));
    marl_config_destroy(config);
    return net;
}

static marl_net *create(const char *const *keys, int seed) {
    return create_on(device, keys, seed);
}

static void fill(float *x, int count, int salt) {
    for (int k = 0; k < count; k++) x[k] = (float)((k * 29 + salt * 53) % 101) / 50.5f - 1.0f;
}

/* ---- the networks in double ---- */

static double *param(const marl_net *net, const char *name) {
    uint32_t shape[4], rank = 0;
    uint64_t count = 1;
    float *values = NULL;
    double *out = NULL;

    for (uint32_t i = 0; i < marl_net_param_count(net); i++) {
        if (strcmp(marl_net_param_name(net, i), name) != 0) continue;
        CHECK(marl_net_param_shape(net, i, shape, &rank));
        for (uint32_t d = 0; d < rank; d++) count *= shape[d];
    }
    ck_assert_uint_gt(rank, 0);
    values = malloc(count * sizeof *values);
    out = malloc(count * sizeof *out);
    CHECK(marl_net_param_get(net, name, values, count));
    for (uint64_t k = 0; k < count; k++) out[k] = (double)values[k];
    free(values);
    return out;
}

static void linear(const marl_net *net, const char *name, const char *suffix, int in, int out, const double *x,
                   double *y) {
    char full[64];
    snprintf(full, sizeof full, "%s.weight%s", name, suffix);
    double *weight = param(net, full);
    snprintf(full, sizeof full, "%s.bias%s", name, suffix);
    double *bias = param(net, full);

    for (int o = 0; o < out; o++) {
        y[o] = bias[o];
        for (int i = 0; i < in; i++) y[o] += weight[o * in + i] * x[i];
    }
    free(weight);
    free(bias);
}

static double sigmoid(double x) {
    return 1.0 / (1.0 + exp(-x));
}

static void gru_cell(const marl_net *net, const double *x, double *h) {
    double xg[3 * H], hg[3 * H];

    linear(net, "rnn", "_ih", H, 3 * H, x, xg);
    linear(net, "rnn", "_hh", H, 3 * H, h, hg);
    for (int k = 0; k < H; k++) {
        double r = sigmoid(xg[k] + hg[k]), z = sigmoid(xg[H + k] + hg[H + k]);
        double n = tanh(xg[2 * H + k] + r * hg[2 * H + k]);
        h[k] = (1 - z) * n + z * h[k];
    }
}

static void normalise(const marl_net *net, const char *name, int count, double *x) {
    char weight[32], bias[32];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    double *scale = param(net, weight), *shift = param(net, bias), mean = 0, square = 0;

    for (int k = 0; k < count; k++) mean += x[k] / count;
    for (int k = 0; k < count; k++) square += (x[k] - mean) * (x[k] - mean) / count;
    for (int k = 0; k < count; k++) x[k] = (x[k] - mean) / sqrt(square + 1e-5) * scale[k] + shift[k];
    free(scale);
    free(shift);
}

static void base_reference(const marl_net *net, const double *x, double *h, double *y) {
    double a[MOST], b[MOST];

    memcpy(b, x, I * sizeof *b);
    normalise(net, "feature_norm", I, b);
    linear(net, "fc1", "", I, H, b, a);
    for (int k = 0; k < H; k++) a[k] = a[k] > 0 ? a[k] : 0;
    normalise(net, "norm1", H, a);
    gru_cell(net, a, h);
    memcpy(b, h, H * sizeof *b);
    normalise(net, "rnn_norm", H, b);
    linear(net, "out", "", H, Y, b, y);
}

/* h: the row's hidden state, renewed. */
static void reference(const marl_net *net, int kind, const double *x, double *h, double *y) {
    double a[MOST], b[MOST];

    if (kinds[kind] == mlp) {
        linear(net, "fc1", "", I, 11, x, a);
        for (int k = 0; k < 11; k++) a[k] = tanh(a[k]);
        linear(net, "fc2", "", 11, 7, a, b);
        for (int k = 0; k < 7; k++) b[k] = tanh(b[k]);
        linear(net, "fc3", "", 7, Y, b, y);
        return;
    }
    if (kinds[kind] == base) {
        base_reference(net, x, h, y);
        return;
    }
    linear(net, "fc1", "", I, H, x, a);
    for (int k = 0; k < H; k++) a[k] = a[k] > 0 ? a[k] : 0;
    if (kinds[kind] == forward_gru) {
        linear(net, "rnn", "", H, H, a, b);
        for (int k = 0; k < H; k++) b[k] = b[k] > 0 ? b[k] : 0;
    } else {
        gru_cell(net, a, h);
        memcpy(b, h, H * sizeof *b);
    }
    if (kinds[kind] == norm_gru) normalise(net, "layer_norm", H, b);
    linear(net, "fc2", "", H, Y, b, y);
}

START_TEST(forward_is_the_network) {
    marl_net *net = create(kinds[_i], 3);
    float inputs[B * I], hidden[B * H] = {0}, outputs[B * Y];
    double expected_hidden[B][H] = {{0}};
    int has_memory = kinds[_i] == gru || kinds[_i] == norm_gru || kinds[_i] == base;

    ck_assert_str_eq(marl_net_kind(net), kinds[_i][0] + strlen("net/"));
    ck_assert_uint_eq(marl_net_hidden_size(net), has_memory ? H : 0);
    for (int tick = 0; tick < 4; tick++) {
        fill(inputs, B * I, tick);
        CHECK(marl_net_forward(net, B, inputs, has_memory ? hidden : NULL, has_memory ? hidden : NULL, outputs));
        for (int row = 0; row < B; row++) {
            double x[I], y[Y];
            for (int k = 0; k < I; k++) x[k] = (double)inputs[row * I + k];
            reference(net, _i, x, expected_hidden[row], y);
            for (int k = 0; k < Y; k++) ck_assert_double_eq_tol((double)outputs[row * Y + k], y[k], 2e-5);
            for (int k = 0; has_memory && k < H; k++)
                ck_assert_double_eq_tol((double)hidden[row * H + k], expected_hidden[row][k], 2e-5);
        }
    }
    marl_net_destroy(net);
}
END_TEST

START_TEST(rows_alone_and_together) {
    marl_net *net = create(kinds[_i], 3);
    float inputs[B * I], hidden[B * H], next[B * H], outputs[B * Y], one_next[H], one_output[Y];
    uint32_t width = marl_net_hidden_size(net);

    fill(inputs, B * I, 1);
    fill(hidden, B * H, 2);
    CHECK(marl_net_forward(net, B, inputs, hidden, next, outputs));
    for (uint32_t row = 0; row < B; row++) {
        CHECK(marl_net_forward(net, 1, inputs + row * I, hidden + row * width, one_next, one_output));
        ck_assert_mem_eq(one_output, outputs + row * Y, sizeof one_output);
        if (width > 0) ck_assert_mem_eq(one_next, next + row * width, width * sizeof(float));
    }
    marl_net_destroy(net);
}
END_TEST

START_TEST(no_hidden_means_zeros) {
    marl_net *net = create(gru, 3);
    float inputs[B * I], zeros[B * H] = {0}, a[B * Y], b[B * Y];

    fill(inputs, B * I, 1);
    CHECK(marl_net_forward(net, B, inputs, zeros, NULL, a));
    fill(zeros, B * H, 1);
    CHECK(marl_net_forward(net, B, inputs, zeros, NULL, b));
    ck_assert_mem_ne(a, b, sizeof a);
    CHECK(marl_net_forward(net, B, inputs, NULL, NULL, b));
    ck_assert_mem_eq(a, b, sizeof a);
    marl_net_destroy(net);
}
END_TEST

START_TEST(parameters_by_name) {
    marl_net *net = create(kinds[_i], 3), *same = create(kinds[_i], 3), *other = create(kinds[_i], 4);
    float inputs[B * I], before[B * Y], after[B * Y];
    int differ = 0;

    fill(inputs, B * I, 1);
    for (uint32_t i = 0; i < marl_net_param_count(net); i++) {
        float values[3 * H * H], theirs[3 * H * H];
        uint32_t shape[4], rank = 0;
        uint64_t count = 1;
        const char *name = marl_net_param_name(net, i);
        CHECK(marl_net_param_shape(net, i, shape, &rank));
        for (uint32_t d = 0; d < rank; d++) count *= shape[d];
        ck_assert_uint_le(count, 3 * H * H);
        CHECK(marl_net_param_get(net, name, values, count));
        CHECK(marl_net_param_get(same, name, theirs, count));
        ck_assert_mem_eq(values, theirs, count * sizeof(float)); /* one seed */
        CHECK(marl_net_param_get(other, name, theirs, count));
        differ += memcmp(values, theirs, count * sizeof(float)) != 0;
        CHECK(marl_net_param_set(other, name, values, count));
        ck_assert_int_eq(marl_net_param_get(net, name, values, count + 1), MARL_E_SHAPE);
        ck_assert_int_eq(marl_net_param_set(net, name, values, count - 1), MARL_E_SHAPE);
        values[count / 2] = NAN;
        ck_assert_int_eq(marl_net_param_set(net, name, values, count), MARL_E_NOT_FINITE);
        ck_assert_ptr_nonnull(strstr(marl_last_error(), name));
    }
    ck_assert_int_gt(differ, 0);
    CHECK(marl_net_forward(net, B, inputs, NULL, NULL, before));
    CHECK(marl_net_forward(other, B, inputs, NULL, NULL, after));
    ck_assert_mem_eq(before, after, sizeof before); /* set parameters are in use, refused ones are not */
    ck_assert_int_eq(marl_net_param_get(net, "fc1.wieght", before, 1), MARL_E_NAME);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "fc1.weight"));
    ck_assert_ptr_null(marl_net_param_name(net, marl_net_param_count(net)));
    marl_net_destroy(net);
    marl_net_destroy(same);
    marl_net_destroy(other);
}
END_TEST

/* ---- files ---- */

typedef struct byte_list {
    unsigned char data[65536];
    size_t count;
} byte_list;

static marl_status take_bytes(const void *data, size_t bytes, void *user) {
    byte_list *list = user;

    if (list->count + bytes > sizeof list->data) return MARL_E_IO;
    memcpy(list->data + list->count, data, bytes);
    list->count += bytes;
    return MARL_OK;
}

static void save(const marl_net *net, byte_list *list) {
    marl_sink sink;

    marl_sink_init(&sink, sizeof sink);
    sink.write = take_bytes;
    sink.user = list;
    list->count = 0;
    CHECK(marl_net_save(net, &sink));
}

static marl_status load(marl_net *net, const unsigned char *data, size_t count) {
    marl_source source;

    marl_source_init(&source, sizeof source);
    source.bytes = data;
    source.byte_count = count;
    return marl_net_load(net, &source);
}

START_TEST(saved_and_loaded) {
    marl_net *net = create(kinds[_i], 3), *other = create(kinds[_i], 4);
    float inputs[B * I], a[B * Y], b[B * Y];
    static byte_list first, second;

    fill(inputs, B * I, 1);
    save(net, &first);
    CHECK(load(other, first.data, first.count));
    CHECK(marl_net_forward(net, B, inputs, NULL, NULL, a));
    CHECK(marl_net_forward(other, B, inputs, NULL, NULL, b));
    ck_assert_mem_eq(a, b, sizeof a);
    save(other, &second);
    ck_assert_uint_eq(first.count, second.count);
    ck_assert_mem_eq(first.data, second.data, first.count);
    marl_net_destroy(net);
    marl_net_destroy(other);
}
END_TEST

START_TEST(refused_files_change_nothing) {
    marl_net *net = create(gru, 3), *other = create(gru, 4), *unlike = create(norm_gru, 5), *small = NULL;
    static byte_list own, theirs;
    marl_config *config = NULL;

    save(net, &own);
    save(unlike, &theirs);
    ck_assert_int_eq(load(net, theirs.data, theirs.count), MARL_E_MISMATCH); /* more than the net has */
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "layer_norm"));
    ck_assert_int_eq(load(unlike, own.data, own.count), MARL_E_MISMATCH); /* less than it has */
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "layer_norm"));
    CHECK(marl_config_create(NULL, "net/gru", &config));
    CHECK(marl_config_set(config, "hidden_dim", "10"));
    CHECK(marl_net_create(device, config, I, Y, B, &small));
    marl_config_destroy(config);
    ck_assert_int_eq(load(small, own.data, own.count), MARL_E_MISMATCH);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "11"));
    save(other, &theirs);
    for (size_t count = 0; count < theirs.count; count += 7) ck_assert_int_ne(load(net, theirs.data, count), MARL_OK);
    theirs.data[theirs.count - 3] ^= 0x40;
    ck_assert_int_eq(load(net, theirs.data, theirs.count), MARL_E_FORMAT);
    save(net, &theirs);
    ck_assert_mem_eq(own.data, theirs.data, own.count);
    marl_net_destroy(net);
    marl_net_destroy(other);
    marl_net_destroy(unlike);
    marl_net_destroy(small);
}
END_TEST

/* ---- arguments and memory ---- */

START_TEST(wrong_arguments) {
    marl_net *net = create(gru, 3), *none = NULL;
    marl_config *config = NULL, *run = NULL;
    float inputs[(B + 1) * I] = {0}, outputs[(B + 1) * Y];
    uint32_t shape[4], rank = 7;

    CHECK(marl_config_create(NULL, "net/gru", &config));
    CHECK(marl_config_create(NULL, "run/qmix", &run));
    ck_assert_int_eq(marl_net_create(device, config, 0, Y, B, &none), MARL_E_SHAPE);
    ck_assert_int_eq(marl_net_create(device, config, I, UINT32_MAX, B, &none), MARL_E_SHAPE);
    ck_assert_int_eq(marl_net_create(device, config, I, Y, 0, &none), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_net_create(device, run, I, Y, B, &none), MARL_E_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "net/KIND"));
    ck_assert_int_eq(marl_net_create(device, NULL, I, Y, B, &none), MARL_E_HANDLE);
    ck_assert_int_eq(marl_net_create(NULL, config, I, Y, B, &none), MARL_E_HANDLE);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(marl_net_forward(net, B + 1, inputs, NULL, NULL, outputs), MARL_E_SHAPE);
    ck_assert_int_eq(marl_net_forward(net, 1, NULL, NULL, NULL, outputs), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_net_forward(net, 1, inputs, NULL, NULL, NULL), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_net_forward(NULL, 1, inputs, NULL, NULL, outputs), MARL_E_HANDLE);
    CHECK(marl_net_forward(net, 0, NULL, NULL, NULL, NULL));
    ck_assert_int_eq(marl_net_param_shape(net, marl_net_param_count(net), shape, &rank), MARL_E_ARGUMENT);
    ck_assert_uint_eq(rank, 0);
    ck_assert_str_eq(marl_net_kind(NULL), "");
    ck_assert_uint_eq(marl_net_hidden_size(NULL), 0);
    ck_assert_uint_eq(marl_net_param_count(NULL), 0);
    marl_net_destroy(NULL);
    marl_config_destroy(config);
    marl_config_destroy(run);
    marl_net_destroy(net);
}
END_TEST

START_TEST(forward_allocates_nothing) {
    marl_net *net = create(kinds[_i], 3);
    float inputs[B * I], hidden[B * H] = {0}, outputs[B * Y];

    fill(inputs, B * I, 1);
    marl__malloc_count_start();
    for (uint32_t tick = 0; tick < 20; tick++)
        marl_net_forward(net, 1 + tick % B, inputs, hidden, hidden, outputs);
    ck_assert_uint_eq(marl__malloc_count_stop(), 0);
    marl_net_destroy(net);
}
END_TEST

static marl_status make_and_load(marl_device *own, const marl_config *config, const byte_list *file) {
    marl_net *net = NULL;
    static byte_list saved;
    marl_sink sink;
    marl_status status = marl_net_create(own, config, I, Y, B, &net);

    marl_sink_init(&sink, sizeof sink);
    sink.write = take_bytes;
    sink.user = &saved;
    saved.count = 0;
    if (status == MARL_OK) status = load(net, file->data, file->count);
    if (status == MARL_OK) status = marl_net_save(net, &sink);
    marl_net_destroy(net);
    return status;
}

START_TEST(failing_allocations) {
    marl_net *net = create(kinds[_i], 3);
    static byte_list file;
    marl_config *config = NULL;
    marl_status status = MARL_E_NOMEM;

    save(net, &file);
    CHECK(marl_config_create(NULL, kinds[_i][0], &config));
    for (const char *const *at = kinds[_i] + 1; *at; at += 2) CHECK(marl_config_set(config, at[0], at[1]));
    for (uint64_t at = 1; status != MARL_OK; at++) {
        marl__test_memory memory = {0};
        marl_device *own = NULL;
        marl_host host;
        uint64_t live = 0;
        marl__test_host(&memory, &host);
        CHECK(marl_device_open(&host, "cpu", NULL, &own));
        live = atomic_load(&memory.live_blocks);
        memory.fail_at = atomic_load(&memory.calls) + at;
        status = make_and_load(own, config, &file);
        ck_assert_msg(status == MARL_OK || status == MARL_E_NOMEM, "allocation %d: %s", (int)at, marl_last_error());
        ck_assert_uint_eq(atomic_load(&memory.live_blocks), live);
        ck_assert_uint_eq(atomic_load(&memory.faults), 0);
        ck_assert_uint_lt(at, 2000);
        marl_device_close(own);
    }
    marl_config_destroy(config);
    marl_net_destroy(net);
}
END_TEST

Suite *marl__suite_run_net(void) {
    Suite *suite = suite_create("net");
    TCase *tcase = tcase_create("net");

    tcase_add_unchecked_fixture(tcase, open_device, close_device);
    tcase_add_loop_test(tcase, forward_is_the_network, 0, KIND_COUNT);
    tcase_add_loop_test(tcase, rows_alone_and_together, 0, KIND_COUNT);
    tcase_add_test(tcase, no_hidden_means_zeros);
    tcase_add_loop_test(tcase, parameters_by_name, 0, KIND_COUNT);
    tcase_add_loop_test(tcase, saved_and_loaded, 0, KIND_COUNT);
    tcase_add_test(tcase, refused_files_change_nothing);
    tcase_add_test(tcase, wrong_arguments);
    tcase_add_loop_test(tcase, forward_allocates_nothing, 0, KIND_COUNT);
    tcase_add_loop_test(tcase, failing_allocations, 0, KIND_COUNT);
    suite_add_tcase(suite, tcase);
    return suite;
}
