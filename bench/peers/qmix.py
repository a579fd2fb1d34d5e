# SPDX-License-Identifier: Apache-2.0
"""QMIX in PyTorch, for comparison: one learner update and one joint decision, in the form PyMARL made common.

What is kept of that form, because it is what its users pay for: the agent net is called once a time step on (B*N)
rows with a GRU cell, online and target net each run over all T+1 slots, padded slots are computed like real ones, the
inputs of a step (observation, last action, agent number) are joined anew each step, TD(lambda) targets run backwards
in a loop.

Letters: B episodes, T transitions (T+1 slots), N agents, O observation, S state, A actions.

    python qmix.py [--threads N] [--lengths FILE] [CASE...]   prints one JSON line a measurement, as marl-bench does
    python qmix.py --serve         reads "THREADS CASE [FILE]" lines and answers each with JSON lines and a dot
"""
import argparse
import copy
import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

SHAPES = {  # agents, observation, state, actions, transitions of a full episode
    "3m": (3, 30, 48, 9, 60),
    "5m_vs_6m": (5, 55, 98, 12, 70),
    "8m_vs_9m": (8, 85, 179, 15, 120),
    "27m_vs_30m": (27, 285, 1170, 36, 180),
}
SETTINGS = dict(hidden=64, embed=32, hyper=64, gamma=0.99, td_lambda=0.6, lr=1e-3, clip=10.0)


class Agent(nn.Module):
    """linear - relu - GRU cell - linear"""

    def __init__(self, inputs, hidden, actions):
        super().__init__()
        self.fc1 = nn.Linear(inputs, hidden)
        self.rnn = nn.GRUCell(hidden, hidden)
        self.fc2 = nn.Linear(hidden, actions)

    def forward(self, x, h):
        h = self.rnn(F.relu(self.fc1(x)), h)
        return self.fc2(h), h


class Mixer(nn.Module):
    """Q_tot = elu(q |W1(s)| + b1(s)) |w2(s)| + b2(s)"""

    def __init__(self, agents, state, embed, hyper):
        super().__init__()
        self.agents, self.embed = agents, embed
        self.hyper_w1 = nn.Sequential(nn.Linear(state, hyper), nn.ReLU(), nn.Linear(hyper, agents * embed))
        self.hyper_b1 = nn.Sequential(nn.Linear(state, embed))
        self.hyper_w2 = nn.Sequential(nn.Linear(state, hyper), nn.ReLU(), nn.Linear(hyper, embed))
        self.hyper_b2 = nn.Sequential(nn.Linear(state, embed), nn.ReLU(), nn.Linear(embed, 1))

    def forward(self, q, state):
        batch, slots = q.shape[0], q.shape[1]
        q = q.reshape(-1, 1, self.agents)
        state = state.reshape(-1, state.shape[-1])
        w1 = self.hyper_w1(state).abs().view(-1, self.agents, self.embed)
        b1 = self.hyper_b1(state).view(-1, 1, self.embed)
        w2 = self.hyper_w2(state).abs().view(-1, self.embed, 1)
        b2 = self.hyper_b2(state).view(-1, 1, 1)
        hidden = F.elu(torch.bmm(q, w1) + b1)
        return (torch.bmm(hidden, w2) + b2).view(batch, slots, 1)


class Controller:
    """The agent net and what it is fed with."""

    def __init__(self, agents, obs, actions, hidden):
        self.agents, self.hidden_size = agents, hidden
        self.net = Agent(obs + actions + agents, hidden, actions)
        self.hidden = None

    def reset(self, batch):
        self.hidden = torch.zeros(batch * self.agents, self.hidden_size)

    def inputs(self, data, t):
        batch = data["obs"].shape[0]
        parts = [data["obs"][:, t]]
        if t == 0:
            parts.append(torch.zeros_like(data["actions_onehot"][:, 0]))
        else:
            parts.append(data["actions_onehot"][:, t - 1])
        parts.append(torch.eye(self.agents).unsqueeze(0).expand(batch, -1, -1))
        return torch.cat([part.reshape(batch * self.agents, -1) for part in parts], dim=1)

    def values(self, data, t):
        q, self.hidden = self.net(self.inputs(data, t), self.hidden)
        return q.view(data["obs"].shape[0], self.agents, -1)

    def all_values(self, data):
        """(B, T+1, N, A)"""
        self.reset(data["obs"].shape[0])
        return torch.stack([self.values(data, t) for t in range(data["obs"].shape[1])], dim=1)

    def act(self, data, t, epsilon):
        """Epsilon-greedy over available actions, (B, N)."""
        avail = data["avail"][:, t]
        with torch.no_grad():
            q = self.values(data, t)
        q = q.clone()
        q[avail == 0] = -float("inf")
        at_random = (torch.rand_like(q[:, :, 0]) < epsilon).long()
        drawn = torch.distributions.Categorical(avail.float()).sample().long()
        return at_random * drawn + (1 - at_random) * q.max(dim=2)[1]


def td_lambda_targets(reward, terminated, mask, q, gamma, td_lambda):
    """q: (B, T+1, 1); the rest (B, T, 1)."""
    returns = torch.zeros_like(q)
    returns[:, -1] = q[:, -1] * (1 - torch.sum(terminated, dim=1))
    for t in range(q.shape[1] - 2, -1, -1):
        returns[:, t] = td_lambda * gamma * returns[:, t + 1] + mask[:, t] * (
            reward[:, t] + (1 - td_lambda) * gamma * q[:, t + 1] * (1 - terminated[:, t]))
    return returns[:, :-1]


class Learner:
    def __init__(self, shape, settings, controller=None):
        agents, obs, state, actions = shape
        self.settings = settings
        self.online = controller or Controller(agents, obs, actions, settings["hidden"])
        self.mixer = Mixer(agents, state, settings["embed"], settings["hyper"])
        self.target = copy.deepcopy(self.online)
        self.target_mixer = copy.deepcopy(self.mixer)
        self.parameters = list(self.online.net.parameters()) + list(self.mixer.parameters())
        self.optimiser = torch.optim.Adam(self.parameters, lr=settings["lr"])

    def loss(self, data):
        reward = data["reward"][:, :-1]
        terminated = data["terminated"][:, :-1].float()
        mask = data["filled"][:, :-1].float()
        mask[:, 1:] = mask[:, 1:] * (1 - terminated[:, :-1])
        q = self.online.all_values(data)
        chosen = torch.gather(q[:, :-1], dim=3, index=data["actions"][:, :-1]).squeeze(3)
        with torch.no_grad():
            target_q = self.target.all_values(data)
            seen = q.detach().clone()
            seen[data["avail"] == 0] = -9999999
            best = seen.max(dim=3, keepdim=True)[1]
            following = torch.gather(target_q, 3, best).squeeze(3)
            following = self.target_mixer(following, data["state"])
            targets = td_lambda_targets(reward, terminated, mask, following, self.settings["gamma"],
                                        self.settings["td_lambda"])
        error = self.mixer(chosen, data["state"][:, :-1]) - targets.detach()
        return (0.5 * error.pow(2) * mask).sum() / mask.sum()

    def update(self, data):
        loss = self.loss(data)
        self.optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.settings["clip"])
        self.optimiser.step()
        return loss.item(), norm.item()  # every learner of this form logs both


def synthetic(shape, batch, slots, seed=1):
    """Full-length episodes of random numbers, half of the actions available."""
    agents, obs, state, actions = shape
    made = torch.Generator().manual_seed(seed)
    avail = (torch.rand(batch, slots, agents, actions, generator=made) < 0.5).int()
    avail[..., 0] = 1
    chosen = torch.multinomial(avail.reshape(-1, actions).float(), 1, generator=made)
    chosen = chosen.view(batch, slots, agents, 1)
    terminated = torch.zeros(batch, slots, 1, dtype=torch.uint8)
    terminated[:, -2] = 1
    return {
        "obs": torch.randn(batch, slots, agents, obs, generator=made),
        "state": torch.randn(batch, slots, state, generator=made),
        "avail": avail,
        "actions": chosen,
        "actions_onehot": F.one_hot(chosen.squeeze(3), actions).float(),
        "reward": torch.randn(batch, slots, 1, generator=made),
        "terminated": terminated,
        "filled": torch.ones(batch, slots, 1, dtype=torch.long),
    }


def measure(run, repeats=7, seconds=2.0):
    """(wall, processor time of the process) of each call, in seconds: at least `repeats` calls and `seconds` in all; but
    three are enough once they have taken ten times as long."""
    run()
    run()
    times, begun = [], time.perf_counter()
    while len(times) < (repeats if time.perf_counter() - begun < 10 * seconds else 3) or (time.perf_counter() - begun < seconds and len(times) < 20000):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return times


def report(case, metric, values, threads):
    values = sorted(values)
    middle = len(values) // 2
    median = values[middle] if len(values) % 2 else 0.5 * (values[middle - 1] + values[middle])
    print(json.dumps({"case": case, "metric": metric, "median": float(f"{median:.6g}"),
                      "min": float(f"{values[0]:.6g}"), "max": float(f"{values[-1]:.6g}"), "n": len(values),
                      "threads": threads, "peer": "pytorch " + torch.__version__}), flush=True)


def mean_longest(lengths, count):
    """What the longest of `count` different ones of the sorted lengths is on average: number i of n is it with the
    chance C(i - 1, count - 1) / C(n, count)."""
    chance, mean = count / len(lengths), 0.0
    for i in range(len(lengths), count - 1, -1):
        mean += chance * lengths[i - 1]
        chance *= (i - count) / max(i - 1, 1)
    return int(mean + 0.5)


def mixed_lengths(limit, batch, recorded):
    """Lengths spread evenly from a fifth of the limit to the whole. Or what a batch of recorded ones is on average: the
    middle of each of `batch` equal parts of the sorted list, with the longest as long as that of a random batch."""
    if not recorded:
        return [limit // 5 + (limit - limit // 5) * e // max(batch - 1, 1) for e in range(batch)]
    lengths = [recorded[len(recorded) * (2 * e + 1) // (2 * batch)] for e in range(batch)]
    if len(recorded) > batch:
        lengths[-1] = mean_longest(recorded, batch)
        lengths = [min(length, lengths[-1]) for length in lengths]
    return [min(length, limit) for length in lengths]


def read_lengths(path):
    with open(path) as lines:
        return sorted(int(word) for line in lines if not line.startswith("#") for word in line.split())


def shorten(data, lengths):
    """What lies beyond an episode's end is padding, as in a replay."""
    for e, length in enumerate(lengths):
        for key in data:
            data[key][e, length + (key != "terminated"):] = 0
        data["terminated"][e, length - 1] = 1


def linear_flops(module):
    return 2 * sum(p.numel() for p in module.parameters() if p.dim() == 2)


def update_flops(learner, batch, slots):
    """Products only: forward twice (online, target), backward as much as two forwards of the online net, less the
    gradient of the net's inputs, which nobody wants."""
    rows = batch * slots * learner.online.agents
    agent, mixer = linear_flops(learner.online.net), linear_flops(learner.mixer)
    first = 2 * learner.online.net.fc1.weight.numel()
    state = learner.mixer.hyper_b1[0].weight.shape[1]
    hyper_first = 2 * sum(p.numel() for p in learner.mixer.parameters() if p.dim() == 2 and p.shape[1] == state)
    return rows * (4 * agent - first) + batch * slots * (4 * mixer - hyper_first)


def sgemm_peak(threads):
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    times = measure(lambda: torch.mm(a, b), repeats=7, seconds=0.5)
    report("peak/sgemm", "gflop_per_s", [2 * 1024 ** 3 / wall / 1e9 for wall, _ in times], threads)
    values = [2 * 1024 ** 3 / cpu / 1e9 for _, cpu in times]
    report("peak/sgemm", "gflop_per_cpu_s", values, threads)
    return max(values)


def report_update(case, learner, data, gflop, threads):
    peak = sgemm_peak(threads)
    times = measure(lambda: learner.update(data))
    report(case, "ms", [1e3 * wall for wall, _ in times], threads)
    report(case, "cpu_ms", [1e3 * cpu for _, cpu in times], threads)
    report(case, "gflop", [gflop], threads)
    report(case, "gflop_per_s", [gflop / wall for wall, _ in times], threads)
    report(case, "cpu_peak_share", [gflop / cpu / peak for _, cpu in times], threads)


def mixed(shape, limit, batch, is_mixed, recorded):
    """A batch and its slots: learners of this form cut it behind its longest episode."""
    lengths = mixed_lengths(limit, batch, recorded) if is_mixed else [limit] * batch
    data = synthetic(shape, batch, max(lengths) + 1)
    if is_mixed:
        shorten(data, lengths)
    return data, max(lengths) + 1


def bench_update(case, name, batch, is_mixed, threads, recorded=None):
    *shape, steps = SHAPES[name]
    learner = Learner(shape, SETTINGS)
    data, slots = mixed(shape, steps, batch, is_mixed, recorded)
    report_update(case, learner, data, update_flops(learner, batch, slots) / 1e9, threads)


def report_act(case, controller, data, steps, threads):
    controller.reset(data["obs"].shape[0])
    slot = [0]

    def step():
        slot[0] = slot[0] % steps + 1
        return controller.act(data, slot[0], 0.05)

    times = measure(step)
    report(case, "us", [1e6 * wall for wall, _ in times], threads)
    report(case, "cpu_us", [1e6 * cpu for _, cpu in times], threads)


def bench_act(case, name, envs, threads):
    *shape, steps = SHAPES[name]
    controller = Controller(shape[0], shape[1], shape[3], SETTINGS["hidden"])
    report_act(case, controller, synthetic(shape, envs, steps + 1), steps, threads)


def cases():
    found = {}
    for name in SHAPES:
        for batch in (32, 128):
            for mixed in (False, True):
                case = f"update/qmix/{name}/B{batch}" + "/mixed" * mixed
                found[case] = lambda c, t, f=None, n=name, b=batch, m=mixed: bench_update(c, n, b, m, t, f)
        for envs in (1, 8):
            found[f"act/qmix/{name}/E{envs}"] = lambda c, t, f=None, n=name, e=envs: bench_act(c, n, e, t)
    found["peak/sgemm"] = lambda c, t, f=None: sgemm_peak(t)
    return found


def serve(known):
    for line in sys.stdin:
        threads, case, *path = line.split()
        torch.set_num_threads(int(threads))
        if case in known:
            known[case](case, int(threads), read_lengths(path[0]) if path else None)
        print(".", flush=True)


def main(known, doc):
    options = argparse.ArgumentParser(description=doc.splitlines()[0])
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--lengths", help="file with the lengths of episodes for cases named .../mixed")
    options.add_argument("--serve", action="store_true", help="answer requests on standard input")
    options.add_argument("--list", action="store_true", help="names of the cases")
    options.add_argument("case", nargs="*", help="a case or the beginning of some; none: all at 3m and 5m_vs_6m")
    chosen = options.parse_args()
    torch.manual_seed(1)
    if chosen.serve:
        return serve(known)
    torch.set_num_threads(chosen.threads)
    recorded = read_lengths(chosen.lengths) if chosen.lengths else None
    for case, run in known.items():
        wanted = any(case.startswith(c) for c in chosen.case) if chosen.case else "/3m/" in case or "/5m_" in case
        if chosen.list:
            print(case)
        elif wanted:
            run(case, chosen.threads, recorded)


if __name__ == "__main__":
    main(cases(), __doc__)
