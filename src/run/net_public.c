/* SPDX-License-Identifier: Apache-2.0 */
/* marl_net: one recipe, its parameters and a plan of one slot. A row is a team of one agent, or one of a team's rows
 * where agents differ by class; either way rows do not influence each other and a row gives the same bits in any number
 * of rows. Inputs and outputs are copied through the arena:
 * that lets the caller's hidden and next_hidden be the same memory.
 *
 * Letters: B rows, I inputs, Y outputs, H hidden. */
#include "marl/net.h"

#include <math.h>
#include <string.h>

#include "core/base/status.h"
#include "core/config/config.h"
#include "core/device.h"
#include "core/graph/plan.h"
#include "core/io/safetensors.h"
#include "nets/net.h"
#include "run/team.h"

/* Rows, and columns either way, whose arrays stay far inside 32-bit counts. */
enum { MOST_ROWS = 1 << 24, MOST_COLS = 1 << 24 };

#define FILE_BYTES_MAX (UINT64_C(1) << 32)

struct marl_net {
    uint32_t tag;
    int32_t max_rows, agents; /* agents: rows a team, 1 unless agents differ by class */
    marl_device *device;
    marl__net recipe;
    marl__params *params;
    marl__version version;
    marl__graph *graph;
    marl__plan *plan;
    marl__exec *exec;
    int32_t slot;
    marl__val x, h0, out, h;
    int32_t active[1], offset[2];
};

static marl__heap *heap_of(const marl_net *net) {
    return &net->device->heap;
}

static marl_status check_net(const marl_net *net) {
    return marl__check_handle(net, MARL__TAG_NET, "net");
}

/* ---- create and destroy ---- */

static marl_status declare(marl_net *net, const char *kind, const marl_config *config, marl__net_shape shape,
                           const marl__net_team *team) {
    marl_status status = marl__params_create(net->device, &net->params);

    if (status != MARL_OK) return status;
    marl__params_range(net->params, "", 0);
    status = marl__net_declare_for(kind, config, "", shape, team, net->params, &net->recipe);
    if (status != MARL_OK) return status;
    if ((status = marl__params_freeze(net->params)) != MARL_OK) return status;
    if ((status = marl__version_create(net->params, &net->version)) != MARL_OK) return status;
    marl__params_init(net->params, (uint64_t)marl__config_int(config, "seed"), net->version.flat);
    marl__version_pack_all(net->params, &net->version);
    return MARL_OK;
}

static marl_status build(marl_net *net) {
    int32_t teams = net->max_rows / net->agents;
    marl__capacity capacity = {1, teams, teams};
    marl__net_values values = {.h0 = -1, .reset = -1, .id = -1, .last = -1};
    marl_status status = marl__graph_create(heap_of(net), net->agents, 1, &net->graph);

    if (status != MARL_OK) return status;
    net->slot = marl__graph_slot(net->graph, "net", net->params, -1, 0);
    net->x = values.x = marl__input(net->graph, "inputs", MARL__AGENT, net->recipe.shape.inputs, MARL__F32);
    if (net->recipe.hidden > 0) values.h0 = marl__state(net->graph, "hidden", MARL__FIRST, net->recipe.hidden);
    marl__net_build(&net->recipe, net->graph, net->slot, &values);
    net->h0 = values.h0;
    net->out = values.out;
    net->h = values.h;
    marl__keep(net->graph, net->out, "outputs");
    if (net->h >= 0) marl__keep(net->graph, net->h, "next_hidden");
    if ((status = marl__plan_create(net->device, net->graph, capacity, &net->plan)) != MARL_OK) return status;
    return marl__exec_create(net->plan, &net->exec);
}

static marl_status check_sizes(uint32_t inputs, uint32_t outputs, uint32_t max_rows) {
    if (inputs < 1 || inputs > MOST_COLS || outputs < 1 || outputs > MOST_COLS)
        return marl__fail(MARL_E_SHAPE, "a net of %u inputs and %u outputs; each is from 1 to %d", inputs, outputs,
                          MOST_COLS);
    if (max_rows < 1 || max_rows > MOST_ROWS)
        return marl__fail(MARL_E_ARGUMENT, "max_rows is %u, expected 1 to %d", max_rows, MOST_ROWS);
    return MARL_OK;
}

/* "net/gru" -> "gru" */
static marl_status kind_of(const marl_config *config, const char **out) {
    const char *component = marl_config_component(config);

    if (strncmp(component, "net/", 4) != 0)
        return marl__fail(MARL_E_ARGUMENT, "the config is of \"%.128s\", expected one of net/KIND", component);
    *out = component + 4;
    return MARL_OK;
}

/* What all ways to create share. team: NULL for nets that do not look at entities. */
static marl_status create(marl_device *device, const marl_config *config, marl__net_shape shape, uint32_t max_rows,
                          const marl__net_team *team, int32_t agents, marl_net **out) {
    const char *kind = NULL;
    marl_net *net = NULL;
    marl_status status = kind_of(config, &kind);

    if (status != MARL_OK) return status;
    net = marl__alloc_zero(&device->heap, sizeof *net);
    if (!net) return MARL_E_NOMEM;
    net->tag = MARL__TAG_NET;
    net->device = device;
    net->max_rows = (int32_t)max_rows;
    net->agents = agents;
    status = declare(net, kind, config, shape, team);
    if (status == MARL_OK) status = build(net);
    if (status == MARL_OK) *out = net;
    else marl_net_destroy(net);
    return status;
}

static marl_status check_create(marl_device *device, const marl_config *config, marl_net **out) {
    marl_status status = MARL_OK;

    if (!out) return marl__fail(MARL_E_ARGUMENT, "out is NULL");
    *out = NULL;
    if ((status = marl__device_check(device)) != MARL_OK) return status;
    return marl__check_handle(config, MARL__TAG_CONFIG, "config");
}

marl_status marl_net_create(marl_device *device, const marl_config *config, uint32_t inputs, uint32_t outputs,
                            uint32_t max_rows, marl_net **out) {
    const marl__net_type *type = NULL;
    const char *kind = NULL;
    marl_status status = check_create(device, config, out);

    if (status != MARL_OK) return status;
    if ((status = kind_of(config, &kind)) != MARL_OK) return status;
    if ((status = marl__net_type_find(kind, &type)) != MARL_OK) return status;
    if (type->sees_entities)
        return marl__fail(MARL_E_UNSUPPORTED, "net %s is built on the entities of an environment: create it with "
                          "marl_net_create_for and a spec", kind);
    if ((status = check_sizes(inputs, outputs, max_rows)) != MARL_OK) return status;
    return create(device, config, (marl__net_shape){(int32_t)inputs, (int32_t)outputs, 1}, max_rows, NULL, 1, out);
}

marl_status marl_net_create_for(marl_device *device, const marl_config *config, const marl_env_spec *spec,
                                uint32_t max_rows, marl_net **out) {
    marl_env_spec own;
    marl_agent_class *classes = NULL;
    marl__team_shape shape;
    marl_status status = check_create(device, config, out);
    int32_t agents = 1;

    if (status != MARL_OK) return status;
    if ((status = marl__spec_take(&device->heap, spec, &own, &classes)) != MARL_OK) return status;
    if ((status = marl__team_shape_of(&own, &shape)) != MARL_OK) goto done;
    if ((status = check_sizes((uint32_t)shape.obs, (uint32_t)shape.actions, max_rows)) != MARL_OK) goto done;
    if (shape.entities.class_count > 1) agents = shape.agents;
    if (max_rows < (uint32_t)agents) {
        status = marl__fail(MARL_E_ARGUMENT, "max_rows is %u; agents of several classes come in whole teams, of %d",
                            max_rows, (int)agents);
        goto done;
    }
    const marl__net_team team = {.entities = shape.entities};
    status = create(device, config, (marl__net_shape){shape.obs, shape.actions, 1}, max_rows, &team, agents, out);
done:
    marl__free(&device->heap, classes);
    return status;
}

void marl_net_destroy(marl_net *net) {
    if (!marl__is_handle(net, MARL__TAG_NET)) return;
    net->tag = 0;
    marl__exec_destroy(net->exec);
    marl__plan_destroy(net->plan);
    marl__graph_destroy(net->graph);
    marl__version_destroy(net->params, &net->version);
    marl__params_destroy(net->params);
    marl__free(heap_of(net), net);
}

const char *marl_net_kind(const marl_net *net) {
    return marl__is_handle(net, MARL__TAG_NET) ? net->recipe.type->name : "";
}

uint32_t marl_net_hidden_size(const marl_net *net) {
    return marl__is_handle(net, MARL__TAG_NET) ? (uint32_t)net->recipe.hidden : 0;
}

/* ---- forward ---- */

static void copy_in(const marl_net *net, marl__val value, const float *from, size_t count) {
    void *to = marl__exec_data(net->exec, value);

    if (!to) return;
    if (from) memcpy(to, from, count * sizeof *from);
    else memset(to, 0, count * sizeof *from);
}

marl_status marl_net_forward(marl_net *net, uint32_t rows, const float *inputs, const float *hidden,
                             float *next_hidden, float *outputs) {
    marl_status status = check_net(net);

    if (status != MARL_OK) return status;
    if (rows > (uint32_t)net->max_rows)
        return marl__fail(MARL_E_SHAPE, "rows is %u, the net was created for at most %d", rows, (int)net->max_rows);
    if (rows % (uint32_t)net->agents != 0)
        return marl__fail(MARL_E_SHAPE, "rows is %u; this net takes whole teams of %d agents", rows, (int)net->agents);
    if (rows == 0) return MARL_OK;
    if (!inputs || !outputs) return marl__fail(MARL_E_ARGUMENT, "%s is NULL", inputs ? "outputs" : "inputs");
    const int32_t teams = (int32_t)rows / net->agents;
    net->active[0] = net->offset[1] = teams;
    const marl__seq seq = {1, teams, teams, net->active, net->offset};
    size_t hidden_count = (size_t)rows * (size_t)net->recipe.hidden;
    marl__exec_set_seq(net->exec, &seq);
    marl__exec_bind_slot(net->exec, net->slot, &net->version, -1);
    copy_in(net, net->x, inputs, (size_t)rows * (size_t)net->recipe.shape.inputs);
    copy_in(net, net->h0, hidden, hidden_count);
    marl__exec_run(net->exec, 0);
    memcpy(outputs, marl__exec_data(net->exec, net->out),
           (size_t)rows * (size_t)net->recipe.shape.outputs * sizeof *outputs);
    if (next_hidden && hidden_count > 0)
        memcpy(next_hidden, marl__exec_data(net->exec, net->h), hidden_count * sizeof *next_hidden);
    return MARL_OK;
}

/* ---- parameters ---- */

uint32_t marl_net_param_count(const marl_net *net) {
    return marl__is_handle(net, MARL__TAG_NET) ? (uint32_t)net->params->count : 0;
}

const char *marl_net_param_name(const marl_net *net, uint32_t index) {
    return index < marl_net_param_count(net) ? net->params->list[index].name : NULL;
}

marl_status marl_net_param_shape(const marl_net *net, uint32_t index, uint32_t shape[4], uint32_t *out_rank) {
    marl_status status = check_net(net);

    if (!shape || !out_rank) return marl__fail(MARL_E_ARGUMENT, "%s is NULL", shape ? "out_rank" : "shape");
    *out_rank = 0;
    memset(shape, 0, 4 * sizeof *shape);
    if (status != MARL_OK) return status;
    if (index >= marl_net_param_count(net))
        return marl__fail(MARL_E_ARGUMENT, "parameter index is %u, the net has %u", index, marl_net_param_count(net));
    *out_rank = (uint32_t)net->params->list[index].rank;
    for (uint32_t i = 0; i < *out_rank; i++) shape[i] = (uint32_t)net->params->list[index].shape[i];
    return MARL_OK;
}

/* The parameter of a name, if it has that many numbers. */
static marl_status find_param(const marl_net *net, const char *name, const float *values, uint64_t count,
                              int32_t *out) {
    marl_status status = check_net(net);
    const char *names[MARL__NET_PARAMS], *near = NULL;

    *out = -1;
    if (status != MARL_OK) return status;
    if (!name || !values) return marl__fail(MARL_E_ARGUMENT, "%s is NULL", name ? "values" : "name");
    *out = marl__params_find(net->params, name);
    if (*out < 0) {
        for (int32_t i = 0; i < net->params->count; i++) names[i] = net->params->list[i].name;
        near = marl__nearest_name(name, names, (uint32_t)net->params->count);
        return near ? marl__fail(MARL_E_NAME, "no parameter \"%.128s\" in this net; did you mean \"%s\"?", name, near)
                    : marl__fail(MARL_E_NAME, "no parameter \"%.128s\" in this net", name);
    }
    if (net->params->list[*out].count != count)
        return marl__fail(MARL_E_SHAPE, "parameter \"%s\" has %zu numbers, %llu were given", name,
                          net->params->list[*out].count, (unsigned long long)count);
    return MARL_OK;
}

marl_status marl_net_param_get(const marl_net *net, const char *name, float *values, uint64_t count) {
    int32_t index = -1;
    marl_status status = find_param(net, name, values, count, &index);

    if (status != MARL_OK) return status;
    memcpy(values, net->version.flat + net->params->list[index].offset, (size_t)count * sizeof *values);
    return MARL_OK;
}

static marl_status check_values(const char *name, const float *values, uint64_t count) {
    for (uint64_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return marl__fail(MARL_E_NOT_FINITE, "parameter \"%s\": number %llu is %s", name, (unsigned long long)i,
                              isnan(values[i]) ? "NaN" : "infinite");
    return MARL_OK;
}

marl_status marl_net_param_set(marl_net *net, const char *name, const float *values, uint64_t count) {
    int32_t index = -1;
    marl_status status = find_param(net, name, values, count, &index);

    if (status != MARL_OK || (status = check_values(name, values, count)) != MARL_OK) return status;
    memcpy(net->version.flat + net->params->list[index].offset, values, (size_t)count * sizeof *values);
    marl__version_pack(net->params, &net->version, index);
    return MARL_OK;
}

/* ---- files ---- */

static void shape_of(const marl__param *param, uint32_t shape[4]) {
    for (int32_t i = 0; i < 4; i++) shape[i] = i < param->rank ? (uint32_t)param->shape[i] : 0;
}

marl_status marl_net_save(const marl_net *net, const marl_sink *sink) {
    marl__safetensors_writer *writer = NULL;
    marl_status status = check_net(net);

    if (status != MARL_OK) return status;
    if ((status = marl__safetensors_writer_create(heap_of(net), &writer)) != MARL_OK) return status;
    for (int32_t i = 0; i < net->params->count; i++) {
        const marl__param *param = &net->params->list[i];
        uint32_t shape[4];
        shape_of(param, shape);
        marl__safetensors_add(writer, param->name, MARL__TENSOR_F32, (uint32_t)param->rank, shape,
                              net->version.flat + param->offset);
    }
    marl__safetensors_add_metadata(writer, "marl.net", net->recipe.type->name);
    status = marl__safetensors_finish(writer, sink);
    marl__safetensors_writer_destroy(writer);
    return status;
}

/* Every tensor must be one of the net's, and the other way round: their numbers are compared. */
static marl_status read_params(const marl_net *net, marl__safetensors *file, float *flat) {
    marl_status status = MARL_OK;

    for (int32_t i = 0; status == MARL_OK && i < net->params->count; i++) {
        const marl__param *param = &net->params->list[i];
        const marl__tensor_info *info = NULL;
        uint32_t shape[4];
        shape_of(param, shape);
        status = marl__safetensors_expect(file, param->name, 0, (uint32_t)param->rank, shape, &info);
        if (status == MARL_OK) status = marl__safetensors_read_f32(file, info, flat + param->offset, param->count);
        if (status == MARL_OK) status = check_values(param->name, flat + param->offset, param->count);
    }
    for (uint32_t i = 0; status == MARL_OK && i < marl__safetensors_count(file); i++) {
        const char *name = marl__safetensors_info(file, i)->name;
        if (marl__params_find(net->params, name) < 0)
            status = marl__fail(MARL_E_MISMATCH, "%s holds the tensor \"%.128s\", which this %s does not have",
                                marl__safetensors_name(file), name, net->recipe.type->name);
    }
    return status;
}

marl_status marl_net_load(marl_net *net, const marl_source *source) {
    marl__safetensors *file = NULL;
    void *flat = NULL;
    marl_status status = check_net(net);

    if (status != MARL_OK) return status;
    if ((status = marl__safetensors_open(heap_of(net), source, FILE_BYTES_MAX, &file)) != MARL_OK) return status;
    if ((status = marl__alloc_array(heap_of(net), net->params->floats, sizeof(float), &flat)) != MARL_OK) goto done;
    if ((status = read_params(net, file, flat)) != MARL_OK) goto done;
    memcpy(net->version.flat, flat, net->params->floats * sizeof(float));
    marl__version_pack_all(net->params, &net->version);
done:
    marl__free(heap_of(net), flat);
    marl__safetensors_close(file);
    return status;
}

/* ---- kinds ---- */

uint32_t marl_net_kind_count(void) {
    return marl__net_type_count();
}

const char *marl_net_kind_name(uint32_t index) {
    const marl__net_type *type = marl__net_type_at(index);

    return type ? type->name : NULL;
}
