/* SPDX-License-Identifier: Apache-2.0 */
/* The same from C++17: handles in unique_ptr, errors as exceptions.
 *
 *     c++ -std=c++17 03_cpp.cpp $(pkg-config --cflags --libs marl) -o 03_cpp
 *     ./03_cpp
 *
 * Lists what the library knows and times an untrained network of the size of a small team. */
#include <marl/marl.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <vector>

namespace {

void check(marl_status status) {
    if (status != MARL_OK) throw std::runtime_error(marl_last_error());
}

struct closer {
    void operator()(marl_device *device) const { marl_device_close(device); }
    void operator()(marl_config *config) const { marl_config_destroy(config); }
    void operator()(marl_net *net) const { marl_net_destroy(net); }
};

template <typename T> using handle = std::unique_ptr<T, closer>;

/* Turns `status call(arguments..., T **out)` into a handle. */
template <typename T, typename Call> handle<T> make(Call call) {
    T *out = nullptr;
    check(call(&out));
    return handle<T>(out);
}

void list() {
    std::printf("libmarl %s\nalgorithms:", marl_version());
    for (uint32_t i = 0; i < marl_algo_count(); i++) std::printf(" %s", marl_algo_name(i));
    std::printf("\nnetworks:");
    for (uint32_t i = 0; i < marl_net_kind_count(); i++) std::printf(" %s", marl_net_kind_name(i));
    std::printf("\nenvironments:");
    for (uint32_t i = 0; i < marl_env_family_count(); i++) std::printf(" %s", marl_env_family_example(i));
    std::printf("\n");
}

void time_forward() {
    constexpr uint32_t rows = 5, inputs = 72, outputs = 12, rounds = 2000;
    auto device = make<marl_device>([](marl_device **out) { return marl_device_open(nullptr, "cpu", nullptr, out); });
    auto config = make<marl_config>([](marl_config **out) { return marl_config_create(nullptr, "net/gru", out); });
    auto net = make<marl_net>([&](marl_net **out) {
        return marl_net_create(device.get(), config.get(), inputs, outputs, rows, out);
    });
    std::vector<float> x(rows * inputs, 0.5f), h(rows * marl_net_hidden_size(net.get())), y(rows * outputs);

    auto start = std::chrono::steady_clock::now();
    for (uint32_t i = 0; i < rounds; i++)
        check(marl_net_forward(net.get(), rows, x.data(), h.data(), h.data(), y.data()));
    std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
    std::printf("%s on %s: %.1f microseconds for %u agents\n", marl_net_kind(net.get()),
                marl_device_isa(device.get()), spent.count() / rounds, rows);
}

} // namespace

int main() try {
    list();
    time_forward();
    return 0;
} catch (const std::exception &error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
