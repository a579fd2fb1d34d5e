/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a case and comparing with it. Faults are sticky: the first stays, and what follows may be nonsense, so that
 * adapters are straight lists of calls that check once before they use what they read. */
#include "support/golden.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "marl/policy.h"

#define MOST_FILE_BYTES (UINT64_C(1) << 32)

void marl__golden_fault(marl__golden *golden, const char *format, ...) {
    va_list list;
    if (golden->fault[0]) return;
    va_start(list, format);
    vsnprintf(golden->fault, sizeof golden->fault, format, list);
    va_end(list);
}

int marl__golden_ok(marl__golden *golden, marl_status status) {
    if (status != MARL_OK) marl__golden_fault(golden, "%s: %s", marl_status_name(status), marl_last_error());
    return golden->fault[0] == 0;
}

void marl__golden_describe(const marl__json *json, int32_t entry, const char *name, marl__golden *out) {
    memset(out, 0, sizeof *out);
    out->json = json;
    out->entry = entry;
    out->name = name;
    out->dims = marl__json_find(json, entry, "dims");
    out->hyper = marl__json_find(json, entry, "hyperparameters");
    out->arrays = marl__json_find(json, entry, "arrays");
    out->array_count = (int32_t)marl__json_count(json, out->arrays);
}

void marl__golden_open(marl__golden *golden, marl__heap *heap, const char *dir) {
    char path[4096];
    const char *file = "";
    void *flags = NULL;
    golden->heap = heap;
    if (golden->dims < 0 || golden->hyper < 0 || golden->arrays < 0) {
        marl__golden_fault(golden, "the manifest's entry lacks dims, hyperparameters or arrays");
        return;
    }
    if (!marl__golden_ok(golden, marl__json_get_text(golden->json, golden->entry, "file", &file))) return;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    marl_source source;
    marl_source_init(&source, sizeof source);
    source.path = path;
    if (!marl__golden_ok(golden, marl__safetensors_open(heap, &source, MOST_FILE_BYTES, &golden->file))) return;
    if (!marl__golden_ok(golden, marl__alloc_array(heap, (size_t)golden->array_count + 1, 1, &flags))) return;
    golden->is_compared = flags;
}

void marl__golden_close(marl__golden *golden) {
    for (int32_t i = 0; i < golden->block_count; i++) marl__free(golden->heap, golden->blocks[i]);
    marl__free(golden->heap, golden->is_compared);
    marl__safetensors_close(golden->file);
}

/* ---- dims and hyperparameters ---- */

int32_t marl__golden_dim(marl__golden *golden, const char *key) {
    int64_t number = 0;
    if (marl__json_get_int(golden->json, golden->dims, key, &number) != MARL_OK || number < 1 || number > 1 << 20)
        marl__golden_fault(golden, "dims.%s is missing or no size", key);
    return golden->fault[0] ? 1 : (int32_t)number;
}

int32_t marl__golden_dim_at(const marl__golden *golden, const char *key, int32_t index, int32_t otherwise) {
    int32_t list = marl__json_find(golden->json, golden->dims, key);
    if (list < 0 || marl__json_type(golden->json, list) != MARL__JSON_ARRAY) return otherwise;
    int32_t item = marl__json_first(golden->json, list), flag = 0;
    int64_t number = 0;
    for (int32_t i = 0; i < index && item >= 0; i++) item = marl__json_next(golden->json, item);
    if (item < 0) return otherwise;
    if (marl__json_type(golden->json, item) == MARL__JSON_BOOL)
        return marl__json_bool(golden->json, item, &flag) == MARL_OK ? flag : otherwise;
    return marl__json_int(golden->json, item, &number) == MARL_OK ? (int32_t)number : otherwise;
}

double marl__golden_real(const marl__golden *golden, const char *key, double otherwise) {
    int32_t value = marl__json_find(golden->json, golden->hyper, key);
    double number = otherwise;
    if (value < 0 || marl__json_type(golden->json, value) != MARL__JSON_NUMBER) return otherwise;
    return marl__json_real(golden->json, value, &number) == MARL_OK ? number : otherwise;
}

int marl__golden_flag(const marl__golden *golden, const char *key, int otherwise) {
    int32_t value = marl__json_find(golden->json, golden->hyper, key), flag = 0;
    if (value < 0 || marl__json_type(golden->json, value) != MARL__JSON_BOOL) return otherwise;
    return marl__json_bool(golden->json, value, &flag) == MARL_OK ? flag : otherwise;
}

const char *marl__golden_word(const marl__golden *golden, const char *key, const char *otherwise) {
    int32_t value = marl__json_find(golden->json, golden->hyper, key);
    if (value < 0 || marl__json_type(golden->json, value) != MARL__JSON_TEXT) return otherwise;
    return marl__json_text(golden->json, value);
}

int marl__golden_is_cut_short(const marl__golden *golden) {
    int32_t longest = 0, length = 0;
    for (int32_t e = 0; (length = marl__golden_dim_at(golden, "lengths", e, 0)) > 0; e++)
        if (length > longest) longest = length;
    for (int32_t e = 0; (length = marl__golden_dim_at(golden, "lengths", e, 0)) > 0; e++)
        if (length < longest && !marl__golden_dim_at(golden, "terminated", e, 1)) return 1;
    return 0;
}

/* ---- arrays ---- */

static int32_t array_key(const marl__golden *golden, int32_t index) {
    int32_t key = marl__json_first(golden->json, golden->arrays);
    for (int32_t i = 0; i < index && key >= 0; i++) key = marl__json_next(golden->json, key);
    return key;
}

const char *marl__golden_array(const marl__golden *golden, int32_t index) {
    if (index >= golden->array_count) return NULL;
    return marl__json_text(golden->json, array_key(golden, index));
}

static int32_t array_index(const marl__golden *golden, const char *array) {
    int32_t key = marl__json_first(golden->json, golden->arrays);
    for (int32_t i = 0; key >= 0; i++, key = marl__json_next(golden->json, key))
        if (!strcmp(marl__json_text(golden->json, key), array)) return i;
    return -1;
}

int32_t marl__golden_shape(const marl__golden *golden, const char *array, int32_t axis) {
    int32_t entry = marl__json_find(golden->json, golden->arrays, array);
    int32_t item = marl__json_first(golden->json, marl__json_find(golden->json, entry, "shape"));
    int64_t size = 0;
    for (int32_t i = 0; i < axis && item >= 0; i++) item = marl__json_next(golden->json, item);
    if (item < 0 || marl__json_int(golden->json, item, &size) != MARL_OK) return 0;
    return (int32_t)size;
}

size_t marl__golden_count(const marl__golden *golden, const char *array) {
    size_t count = marl__golden_shape(golden, array, 0) > 0;
    for (int32_t axis = 0, size = 0; (size = marl__golden_shape(golden, array, axis)) > 0; axis++)
        count *= (size_t)size;
    return count;
}

void *marl__golden_room(marl__golden *golden, size_t count, size_t element_bytes) {
    void *block = NULL;
    if (golden->block_count == (int32_t)(sizeof golden->blocks / sizeof golden->blocks[0]))
        marl__golden_fault(golden, "too many arrays in one case");
    if (golden->fault[0]) return NULL;
    if (!marl__golden_ok(golden, marl__alloc_array(golden->heap, count, element_bytes, &block))) return NULL;
    golden->blocks[golden->block_count++] = block;
    return block;
}

/* Frees what was made since the count was `mark`. */
static void release(marl__golden *golden, int32_t mark) {
    while (golden->block_count > mark) marl__free(golden->heap, golden->blocks[--golden->block_count]);
}

/* The tensor of that name with that many numbers. */
static const marl__tensor_info *find(marl__golden *golden, const char *array, size_t count) {
    if (golden->fault[0]) return NULL;
    const marl__tensor_info *info = marl__safetensors_find(golden->file, array);
    if (!info)
        marl__golden_fault(golden, "the file has no array %s", array);
    else if (info->element_count != count)
        marl__golden_fault(golden, "%s has %llu numbers, expected %zu", array, (unsigned long long)info->element_count,
                           count);
    return golden->fault[0] ? NULL : info;
}

static int is_integer(const marl__tensor_info *info) {
    return info->type != MARL__TENSOR_F32 && info->type != MARL__TENSOR_F64 && info->type != MARL__TENSOR_F16;
}

int32_t *marl__golden_ints(marl__golden *golden, const char *array, size_t count) {
    const marl__tensor_info *info = find(golden, array, count);
    int32_t *out = info ? marl__golden_room(golden, count, sizeof *out) : NULL;
    if (!out || !marl__golden_ok(golden, marl__safetensors_read_i32(golden->file, info, out, count))) return NULL;
    return out;
}

float *marl__golden_floats(marl__golden *golden, const char *array, size_t count) {
    const marl__tensor_info *info = find(golden, array, count);
    float *out = info ? marl__golden_room(golden, count, sizeof *out) : NULL;
    if (!out) return NULL;
    if (!is_integer(info))
        return marl__golden_ok(golden, marl__safetensors_read_f32(golden->file, info, out, count)) ? out : NULL;
    const int32_t *whole = marl__golden_ints(golden, array, count);
    for (size_t i = 0; whole && i < count; i++) out[i] = (float)whole[i];
    return whole ? out : NULL;
}

static const double *recorded(marl__golden *golden, const char *array, size_t count) {
    const marl__tensor_info *info = find(golden, array, count);
    double *out = info ? marl__golden_room(golden, count, sizeof *out) : NULL;
    if (!out) return NULL;
    if (!is_integer(info))
        return marl__golden_ok(golden, marl__safetensors_read_f64(golden->file, info, out, count)) ? out : NULL;
    const int32_t *whole = marl__golden_ints(golden, array, count);
    for (size_t i = 0; whole && i < count; i++) out[i] = (double)whole[i];
    return whole ? out : NULL;
}

/* ---- comparing ---- */

/* A tolerance of the manifest; -1: it gives none. */
static double tolerance(const marl__golden *golden, const char *array, const char *key) {
    int32_t value = marl__json_find(golden->json, marl__json_find(golden->json, golden->arrays, array), key);
    double number = -1.0;
    return value >= 0 && marl__json_real(golden->json, value, &number) == MARL_OK ? number : -1.0;
}

static void note_worst(marl__golden *golden, const char *array, double difference, double allowed) {
    double share = allowed > 0.0 ? difference / allowed : 0.0;
    if (share <= golden->worst) return;
    golden->worst = share;
    snprintf(golden->worst_name, sizeof golden->worst_name, "%s", array);
}

void marl__golden_leave_out(marl__golden *golden, const char *array) {
    int32_t index = array_index(golden, array);
    if (index >= 0 && golden->is_compared) golden->is_compared[index] = 1;
}

static void compare(marl__golden *golden, const char *array, const double *got, const double *expected, size_t count,
                    const uint8_t *use) {
    double most = tolerance(golden, array, "atol_f32"), rms = tolerance(golden, array, "rms_tol_f32"), squares = 0.0;
    size_t used = 0;
    if (most < 0.0) {
        marl__golden_fault(golden, "%s has no atol_f32 in the manifest", array);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (use && !use[i]) continue;
        double difference = fabs(got[i] - expected[i]);
        squares += difference * difference;
        used++;
        note_worst(golden, array, difference, most);
        if (!(difference <= most)) { /* a NaN is a fault too */
            marl__golden_fault(golden, "%s[%zu] is %.9g, expected %.9g, tolerance %.2g", array, i, got[i], expected[i],
                               most);
            return;
        }
    }
    double mean = used ? sqrt(squares / (double)used) : 0.0;
    if (rms >= 0.0) note_worst(golden, array, mean, rms);
    if (rms >= 0.0 && !(mean <= rms))
        marl__golden_fault(golden, "%s: root mean square difference %.3g, tolerance %.2g", array, mean, rms);
    golden->numbers += (int64_t)used;
    marl__golden_leave_out(golden, array);
}

void marl__golden_compare(marl__golden *golden, const char *array, const double *got, size_t count,
                          const uint8_t *use) {
    int32_t mark = golden->block_count;
    const double *expected = got ? recorded(golden, array, count) : NULL;
    if (expected) compare(golden, array, got, expected, count, use);
    release(golden, mark);
}

void marl__golden_compare_floats(marl__golden *golden, const char *array, const float *got, size_t count) {
    int32_t mark = golden->block_count;
    double *wide = marl__golden_room(golden, count, sizeof *wide);
    for (size_t i = 0; wide && i < count; i++) wide[i] = (double)got[i];
    marl__golden_compare(golden, array, wide, count, NULL);
    release(golden, mark);
}

static int is_result(const char *array) {
    static const char *const kinds[] = {"out.", "loss.", "grad.", "grad_in.", "after"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strncmp(array, kinds[i], strlen(kinds[i]))) return 1;
    return 0;
}

void marl__golden_finish(marl__golden *golden) {
    int32_t key = marl__json_first(golden->json, golden->arrays);
    for (int32_t i = 0; key >= 0 && golden->is_compared; i++, key = marl__json_next(golden->json, key)) {
        const char *array = marl__json_text(golden->json, key);
        if (is_result(array) && !golden->is_compared[i]) marl__golden_fault(golden, "nothing computes %s", array);
    }
}

/* ---- names ---- */

/* QPLEX: "mixer.si_weight.key_extractors.3.2.bias" is the kernel 3 of "mixer.si_weight.key_extractors.2.bias". */
static int kernel_name(const char *recorded, char *out, size_t bytes, int32_t *copy) {
    static const char list[] = "_extractors.";
    const char *number = strstr(recorded, list);
    char *end = NULL;
    if (!number) return 0;
    number += sizeof list - 1;
    *copy = (int32_t)strtol(number, &end, 10);
    snprintf(out, bytes, "%.*s%s", (int)(number - 1 - recorded), recorded, end);
    return 1;
}

/* Places of a stack are numbered with those that have no parameters; matrices are layers, vectors their norms. */
static void stack_name(const marl__golden *golden, const char *prefix, const char *name, char *out, size_t bytes) {
    int place = atoi(name + strlen("mlp.fc.")), layer = 0, is_layer = 0;
    char array[160];
    for (int p = 0; p <= place; p++) {
        snprintf(array, sizeof array, "%smlp.fc.%d.weight", prefix, p);
        is_layer = marl__golden_shape(golden, array, 1) > 0;
        layer += is_layer;
    }
    snprintf(out, bytes, "%s%d%s", is_layer ? "fc" : "norm", layer, strrchr(name, '.'));
}

void marl__golden_base_name(const marl__golden *golden, const char *prefix, const char *name, char *out, size_t bytes) {
    static const struct { const char *theirs, *ours; } words[] = {
        {"rnn.rnn.weight_ih_l0", "rnn.weight_ih"}, {"rnn.rnn.weight_hh_l0", "rnn.weight_hh"},
        {"rnn.rnn.bias_ih_l0", "rnn.bias_ih"},     {"rnn.rnn.bias_hh_l0", "rnn.bias_hh"},
        {"rnn.norm.weight", "rnn_norm.weight"},    {"rnn.norm.bias", "rnn_norm.bias"}};
    static const char *const heads[] = {"act.action_out.linear.", "act.action_out.fc_mean.", "v_out."};
    if (!strncmp(name, "mlp.fc.", 7)) {
        stack_name(golden, prefix, name, out, bytes);
        return;
    }
    snprintf(out, bytes, "%s", name);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!strcmp(words[i].theirs, name)) snprintf(out, bytes, "%s", words[i].ours);
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++)
        if (!strncmp(name, heads[i], strlen(heads[i]))) snprintf(out, bytes, "out.%s", name + strlen(heads[i]));
}

void marl__golden_param_name(const marl__params *params, const char *recorded_name, char *out, size_t bytes,
                             int32_t *is_target, int32_t *copy) {
    static const struct { const char *theirs, *ours; } names[] = {
        {"hyper_w_1", "hyper_w1"}, {"hyper_w_final", "hyper_w2"}, {"hyper_b_1", "hyper_b1"}, {"V", "hyper_b2"}};
    *copy = -1;
    *is_target = !strncmp(recorded_name, "target_", 7);
    const char *at = recorded_name + (*is_target ? 7 : 0);
    if (!strncmp(at, "agent.agents.", 13)) {
        char *end = NULL;
        *copy = (int32_t)strtol(at + 13, &end, 10);
        snprintf(out, bytes, "agent%s", end);
        return;
    }
    if (strncmp(at, "mixer.", 6) || marl__params_find(params, at) >= 0) {
        snprintf(out, bytes, "%s", at);
        return;
    }
    if (kernel_name(at, out, bytes, copy)) return;
    at += 6;
    size_t word = strcspn(at, ".");
    const char *rest = at + word;
    int has_digit = rest[0] == '.' && isdigit((unsigned char)rest[1]);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i].theirs) == word && !strncmp(names[i].theirs, at, word)) {
            at = names[i].ours;
            word = strlen(at);
            break;
        }
    snprintf(out, bytes, "mixer.%.*s%s%s", (int)word, at, has_digit ? "" : ".0", rest);
}

int32_t marl__golden_find_param(marl__golden *golden, const marl__params *params, const char *recorded, size_t count,
                                int32_t *is_target, size_t *first) {
    char name[128];
    int32_t copy = -1;
    marl__golden_param_name(params, recorded, name, sizeof name, is_target, &copy);
    int32_t index = marl__params_find(params, name);
    size_t has = index < 0 ? 0 : params->list[index].count;
    *first = copy < 0 ? 0 : (size_t)copy * count;
    if (index >= 0 && count > 0 && (copy < 0 ? count == has : has % count == 0 && *first + count <= has)) return index;
    marl__golden_fault(golden, "there is no parameter \"%s\" with %zu numbers for %s", name, count, recorded);
    return -1;
}

/* A tensor of ours, or one of several copies side by side in it. */
static size_t *whole_places(marl__golden *golden, const marl__params *params, const char *recorded, size_t count,
                            int32_t *is_target) {
    size_t first = 0;
    int32_t index = marl__golden_find_param(golden, params, recorded, count, is_target, &first);
    size_t *places = index < 0 ? NULL : marl__golden_room(golden, count, sizeof *places);
    for (size_t i = 0; places && i < count; i++) places[i] = params->list[index].offset + first + i;
    return places;
}

size_t *marl__golden_places(marl__golden *golden, const marl__params *params, const char *recorded, size_t *out_count,
                            int32_t *is_target) {
    const char *name = recorded + (strncmp(recorded, "target_", 7) ? 0 : 7);
    char array[160];
    snprintf(array, sizeof array, "param.%s", recorded);
    *out_count = marl__golden_count(golden, array);
    if (!marl__golden_is_hpn(golden) || strncmp(name, "agent.", 6))
        return whole_places(golden, params, recorded, *out_count, is_target);
    *is_target = name != recorded;
    return marl__golden_hpn_places(golden, params, name + 6, *out_count);
}
