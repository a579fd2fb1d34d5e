/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: opening by name and config, what is refused and with which sentence, memory accounts, failing memory, the
 * host's parallel-for, fork, and OpenBLAS with its process-wide thread setting. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/backends.h"
#include "backends/cpu/cpu.h"
#include "backends/openblas/openblas.h"
#include "core/base/status.h"
#include "core/config/config.h"
#include "core/device.h"
#include "support/support.h"

static marl_config *settings(const char *component, const marl__key_table *table) {
    const marl__config_part part = {"", table};
    marl_config *config = NULL;
    ck_assert_int_eq(marl__config_new(NULL, component, &part, 1, NULL, 0, &config), MARL_OK);
    return config;
}

static marl_config *device_settings(const char *threads, const char *isa) {
    marl_config *config = settings("device", &marl__device_keys);
    ck_assert_int_eq(marl_config_set(config, "threads", threads), MARL_OK);
    ck_assert_int_eq(marl_config_set(config, "isa", isa), MARL_OK);
    return config;
}

START_TEST(opening_with_defaults) {
    marl_device *device = NULL;
    marl__backend_table table;

    ck_assert_int_eq(marl_device_open(NULL, "cpu", NULL, &device), MARL_OK);
    ck_assert_int_eq(marl__cpu_table("auto", &table), MARL_OK);
    ck_assert_str_eq(marl_device_name(device), "cpu");
    ck_assert_str_eq(marl_device_isa(device), table.name);
    ck_assert_uint_eq(marl_device_threads(device), 1);
    ck_assert_int_eq(marl__device_check(device), MARL_OK);
    ck_assert_ptr_eq(device->table.kernels, table.kernels);
    ck_assert(device->table.products->product && device->table.flat->adam);
    marl_device_close(device);
    marl_device_close(NULL);
}
END_TEST

START_TEST(every_instruction_set) {
    static const char *const isas[] = {"portable", "avx2", "avx512"};
    marl_config *config = device_settings("2", isas[_i]);
    marl_device *device = NULL;
    marl_status status = marl_device_open(NULL, "cpu", config, &device);

    if (status == MARL_OK) {
        ck_assert_str_eq(marl_device_isa(device), isas[_i]);
        ck_assert_uint_eq(marl_device_threads(device), 2);
    } else {
        ck_assert_int_eq(status, MARL_E_UNSUPPORTED);
        ck_assert_ptr_null(device);
        ck_assert_ptr_nonnull(strstr(marl_last_error(), isas[_i]));
        ck_assert_int_ne(_i, 0);
        marl__test_skip(marl_last_error());
    }
    marl_device_close(device);
    marl_config_destroy(config);
}
END_TEST

static void expect_refusal(const marl_host *host, const char *name, const marl_config *config, marl_status want,
                           const char *words) {
    marl_device *device = (marl_device *)&want;
    ck_assert_int_eq(marl_device_open(host, name, config, &device), want);
    ck_assert_ptr_null(device);
    ck_assert_msg(strstr(marl_last_error(), words) != NULL, "\"%s\" is not in \"%s\"", words, marl_last_error());
}

START_TEST(what_open_refuses) {
    static const marl__key other_keys[] = {MARL__KEY_INT("lives", "9", 1, 9, "of a cat")};
    static const marl__key_table other = MARL__KEY_TABLE(other_keys);
    marl_config *wrong = settings("cat", &other);
    marl_device *device = NULL;
    marl_host host;

    ck_assert_int_eq(marl_device_open(NULL, "cpu", NULL, NULL), MARL_E_ARGUMENT);
    expect_refusal(NULL, NULL, NULL, MARL_E_ARGUMENT, "name is NULL");
    expect_refusal(NULL, "cpuu", NULL, MARL_E_NAME, "did you mean \"cpu\"");
    expect_refusal(NULL, "abacus", NULL, MARL_E_NAME, "\"abacus\"");
    expect_refusal(NULL, "", NULL, MARL_E_NAME, "\"\"");
    expect_refusal(NULL, "cuda:0", NULL, MARL_E_UNSUPPORTED, "the CUDA backend is not part of this build");
    expect_refusal(NULL, "cpu", wrong, MARL_E_ARGUMENT, "not of \"cat\"");
    ck_assert_int_eq(marl_device_open(NULL, "cpu", NULL, &device), MARL_OK);
    expect_refusal(NULL, "cpu", (const marl_config *)(const void *)device, MARL_E_HANDLE, "config");
    marl_device_close(device);
    marl_host_init(&host, sizeof host);
    host.struct_size = 4;
    expect_refusal(&host, "cpu", NULL, MARL_E_ARGUMENT, "marl_host");
    marl_config_destroy(wrong);
}
END_TEST

START_TEST(what_is_no_device) {
    marl_config *config = device_settings("1", "auto");
    const marl_device *wrong = (const marl_device *)(const void *)config;
    marl_memory memory = {.struct_size = sizeof memory};

    ck_assert_str_eq(marl_device_name(NULL), "");
    ck_assert_str_eq(marl_device_isa(wrong), "");
    ck_assert_uint_eq(marl_device_threads(wrong), 0);
    ck_assert_int_eq(marl_device_memory(NULL, &memory), MARL_E_HANDLE);
    ck_assert_int_eq(marl__device_check(wrong), MARL_E_HANDLE);
    marl_device_close((marl_device *)config); /* ignored */
    ck_assert_int_eq(marl__config_int(config, "threads"), 1);
    marl_config_destroy(config);
}
END_TEST

START_TEST(memory_is_counted) {
    struct { marl_memory known; uint64_t later; } wide;
    marl_memory memory = {.struct_size = sizeof memory};
    marl__test_memory blocks = {0};
    marl_host host;
    marl_device *device = NULL;

    marl__test_host(&blocks, &host);
    ck_assert_int_eq(marl_device_open(&host, "cpu", NULL, &device), MARL_OK);
    ck_assert_int_eq(marl_device_memory(device, &memory), MARL_OK);
    ck_assert_uint_eq(memory.current_bytes, blocks.live_bytes);
    ck_assert_uint_eq(memory.allocation_count, blocks.calls);
    ck_assert_uint_ge(memory.current_bytes, sizeof *device);

    uint64_t before = memory.current_bytes;
    void *block = marl__alloc(&device->heap, 10000);
    ck_assert_ptr_nonnull(block);
    marl__free(&device->heap, block);
    memset(&wide, 0xff, sizeof wide);
    wide.known.struct_size = sizeof wide;
    ck_assert_int_eq(marl_device_memory(device, &wide.known), MARL_OK);
    ck_assert_uint_eq(wide.known.struct_size, sizeof wide);
    ck_assert_uint_eq(wide.known.current_bytes, before);
    ck_assert_uint_ge(wide.known.peak_bytes, before + 10000);
    ck_assert_uint_eq(wide.known.allocation_count, memory.allocation_count + 1);
    ck_assert_uint_eq(wide.later, 0);

    memory.struct_size = sizeof memory - 1;
    ck_assert_int_eq(marl_device_memory(device, &memory), MARL_E_ARGUMENT);
    ck_assert_int_eq(marl_device_memory(device, NULL), MARL_E_ARGUMENT);
    marl_device_close(device);
    ck_assert_uint_eq(blocks.live_blocks, 0);
    ck_assert_uint_eq(blocks.faults, 0);
}
END_TEST

START_TEST(failing_memory) {
    marl_config *config = device_settings("2", "auto");
    marl_device *device = NULL;
    uint64_t fail_at = 1;

    for (; !device && fail_at < 100; fail_at++) {
        marl__test_memory blocks = {.fail_at = fail_at};
        marl_host host;
        marl__test_host(&blocks, &host);
        marl_status status = marl_device_open(&host, "cpu", config, &device);
        if (status != MARL_OK) {
            ck_assert_int_eq(status, MARL_E_NOMEM);
            ck_assert_ptr_null(device);
            ck_assert_uint_eq(blocks.live_blocks, 0);
        } else {
            marl_device_close(device);
            ck_assert_uint_eq(blocks.live_blocks, 0);
        }
        ck_assert_uint_eq(blocks.faults, 0);
    }
    ck_assert_ptr_nonnull(device);
    ck_assert_uint_gt(fail_at, 2); /* there was something to fail */
    marl_config_destroy(config);
}
END_TEST

static void backwards(int32_t count, marl_task task, void *ctx, void *user) {
    ++*(int *)user;
    while (count > 0) task(--count, ctx);
}

static void mark(int32_t index, void *ctx) {
    ((int *)ctx)[index]++;
}

START_TEST(the_hosts_parallel_for) {
    marl_config *config = device_settings("3", "auto");
    marl_device *device = NULL;
    marl_host host;
    int calls = 0, marks[5] = {0};

    marl_host_init(&host, sizeof host);
    host.parallel_for = backwards;
    host.user = &calls;
    ck_assert_int_eq(marl_device_open(&host, "cpu", config, &device), MARL_OK);
    ck_assert_int_eq(marl__pool_run(device->pool, 5, mark, marks), MARL_OK);
    ck_assert_int_eq(calls, 1);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(marks[i], 1);
    marl_device_close(device);
    marl_config_destroy(config);
}
END_TEST

/* The exit code of the child tells which check failed. */
static int in_child(marl_device *device) {
    marl_memory memory = {.struct_size = sizeof memory};
    marl_device *own = NULL;

    if (marl_device_memory(device, &memory) != MARL_E_FORKED) return 1;
    if (!strstr(marl_last_error(), "fork")) return 2;
    if (strcmp(marl_device_name(device), "cpu") != 0) return 3;
    marl_device_close(device);
    if (marl_device_open(NULL, "cpu", NULL, &own) != MARL_OK) return 4;
    if (marl_device_memory(own, &memory) != MARL_OK) return 5;
    marl_device_close(own);
    return 0;
}

START_TEST(a_forked_child) {
    marl_config *config = device_settings("2", "auto");
    marl_device *device = NULL;
    int status = -1;

    ck_assert_int_eq(marl_device_open(NULL, "cpu", config, &device), MARL_OK);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) _exit(in_child(device));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
    ck_assert_int_eq(marl__device_check(device), MARL_OK);
    marl_device_close(device);
    marl_config_destroy(config);
}
END_TEST

START_TEST(kinds_and_probing) {
    uint32_t count = marl_device_kind_count();
    int found_cpu = 0;

    ck_assert_ptr_null(marl_device_kind_name(count));
    for (uint32_t i = 0; i < count; i++) {
        const char *name = marl_device_kind_name(i);
        marl_status status = marl_device_probe(name);
        found_cpu |= strcmp(name, "cpu") == 0;
        ck_assert(status == MARL_OK || status == MARL_E_UNSUPPORTED);
        if (strcmp(name, "cpu") == 0) ck_assert_int_eq(status, MARL_OK);
        else if (status != MARL_OK) ck_assert_ptr_nonnull(strstr(marl_last_error(), "libopenblas0-pthread"));
    }
    ck_assert(found_cpu);
    ck_assert_int_eq(marl_device_probe("cuda:1"), MARL_E_UNSUPPORTED);
    ck_assert_int_eq(marl_device_probe("gpu"), MARL_E_NAME);
    ck_assert_int_eq(marl_device_probe(NULL), MARL_E_ARGUMENT);
}
END_TEST

START_TEST(isa_names) {
    marl__backend_table table = {.name = "as it was"};

    ck_assert_int_eq(marl__cpu_table("mmx", &table), MARL_E_UNSUPPORTED);
    ck_assert_str_eq(table.name, "as it was");
    ck_assert_ptr_nonnull(strstr(marl_last_error(), "mmx"));
    ck_assert_int_eq(marl__cpu_table("portable", &table), MARL_OK);
    ck_assert_str_eq(table.name, "portable");
}
END_TEST

/* NULL and a skip where OpenBLAS is not installed. */
static marl_device *open_blas(const char *isa) {
    marl_config *config = device_settings("1", isa);
    marl_device *device = NULL;
    marl_status status = marl_device_open(NULL, "openblas", config, &device);
    if (status != MARL_OK) {
        ck_assert_int_eq(status, MARL_E_UNSUPPORTED);
        marl__test_skip(marl_last_error());
    }
    marl_config_destroy(config);
    return device;
}

START_TEST(openblas_restores_its_threads) {
    marl_device *first = open_blas("auto");
    if (!first) return;
    marl_device_close(first);
    int32_t usual = marl__openblas_threads();

    ck_assert_int_eq(marl__openblas_open_count(), 0);
    first = open_blas("auto");
    marl_device *second = open_blas("auto");
    ck_assert_int_eq(marl__openblas_open_count(), 2);
    ck_assert_int_eq(marl__openblas_threads(), 1);
    marl_device_close(first);
    ck_assert_int_eq(marl__openblas_threads(), 1);
    marl_device_close(second);
    ck_assert_int_eq(marl__openblas_open_count(), 0);
    ck_assert_int_eq(marl__openblas_threads(), usual);
}
END_TEST

enum { M = 13, N = 21, K = 34 };

static void fill(float *x, int32_t n, uint32_t seed) {
    uint32_t state = seed * 2654435761u + 1;
    for (int32_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)((double)(state >> 8) / 8388608.0 - 1.0);
    }
}

/* The four calls a plan makes of products, on any device, into one block of results. */
static void use_products(const marl__products *products, float *results) {
    static float x[M * K], w[N * K], bias[N], dy[M * N];
    float *packed = malloc((products->packed_floats(N, K) + 1) * sizeof *packed);
    float *packed_backward = malloc((products->packed_floats(K, N) + 1) * sizeof *packed_backward);
    float *y = results, *dx = y + M * N, *dw = dx + M * K, *empty = dw + N * K;

    fill(x, M * K, 1);
    fill(w, N * K, 2);
    fill(bias, N, 3);
    fill(dy, M * N, 4);
    fill(dw, N * K, 5);
    products->pack_forward(N, K, w, packed);
    products->pack_backward(K, N, w, packed_backward);
    products->product(M, N, K, x, K, packed, w, 0, bias, MARL__TANH, y, N);
    products->product(M, K, N, dy, N, packed_backward, w, 1, NULL, MARL__IDENTITY, dx, K);
    products->outer(M, N, K, dy, N, x, K, dw, K);
    products->product(M, N, 0, x, K, packed, w, 0, bias, MARL__IDENTITY, empty, N);
    products->product(0, N, K, x, K, packed, w, 0, bias, MARL__TANH, y, N);
    products->outer(0, N, K, dy, N, x, K, dw, K);
    free(packed);
    free(packed_backward);
}

START_TEST(openblas_computes_the_same) {
    static const char *const isas[] = {"portable", "auto"};
    enum { TOTAL = 2 * M * N + M * K + N * K };
    static float want[TOTAL], found[TOTAL];
    marl_device *blas = open_blas(isas[_i]), *cpu = NULL;

    if (!blas) return;
    ck_assert_str_eq(marl_device_name(blas), "openblas");
    ck_assert_int_eq(marl_device_open(NULL, "cpu", NULL, &cpu), MARL_OK);
    ck_assert_ptr_ne(blas->table.products, cpu->table.products);
    use_products(cpu->table.products, want);
    use_products(blas->table.products, found);
    for (int i = 0; i < TOTAL; i++) ck_assert_float_eq_tol(found[i], want[i], 1e-5f);
    marl_device_close(blas);
    marl_device_close(cpu);
}
END_TEST

Suite *marl__suite_backends_device(void) {
    Suite *suite = suite_create("device");
    TCase *tests = tcase_create("device");

    tcase_add_test(tests, opening_with_defaults);
    tcase_add_loop_test(tests, every_instruction_set, 0, 3);
    tcase_add_test(tests, what_open_refuses);
    tcase_add_test(tests, what_is_no_device);
    tcase_add_test(tests, memory_is_counted);
    tcase_add_test(tests, failing_memory);
    tcase_add_test(tests, the_hosts_parallel_for);
    tcase_add_test(tests, a_forked_child);
    tcase_add_test(tests, kinds_and_probing);
    tcase_add_test(tests, isa_names);
    tcase_add_test(tests, openblas_restores_its_threads);
    tcase_add_loop_test(tests, openblas_computes_the_same, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}
