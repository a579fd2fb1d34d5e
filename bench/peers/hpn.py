# SPDX-License-Identifier: Apache-2.0
"""HPN-QMIX in PyTorch, for comparison: the learner of qmix.py with the permutation-aware agent of Hao et al. (2023) in
the form in which it was published.

What is kept of that form beyond what qmix.py says: one hypernetwork a group of entities writes out the weights of every
entity of every row (features x hidden of them, and for enemies the weights and the bias that score the attack), which
are then multiplied with the entity and summed; all that once a time step, online and target net each.

Letters: B episodes, T transitions (T+1 slots), N agents, E enemies, F allies (N - 1), K features of an entity.

    python hpn.py [--threads N] [CASE...]     prints one JSON line a measurement, as marl-bench does
    python hpn.py --serve                     reads "THREADS CASE" lines and answers each with JSON lines and a dot
    python hpn.py --check FILE                takes the recorded updates of a fixture, prints the largest differences
"""
import sys

import torch
from torch import nn
from torch.nn import functional as F

import qmix

ENTITIES = {"3m": (3, 2), "5m_vs_6m": (6, 4), "8m_vs_9m": (9, 7), "27m_vs_30m": (30, 26)}  # E, F
MOVE, FEATURES, OWN, PLAIN = 4, 5, 1, 6  # columns before the enemies; K; columns behind the allies; plain actions
HYPER = 64


class Agent(nn.Module):
    def __init__(self, agents, enemies, allies, hidden):
        super().__init__()
        self.enemies, self.allies, self.hidden = enemies, allies, hidden
        self.agent_id_embedding = nn.Embedding(agents, hidden)
        self.fc1_own = nn.Linear(MOVE + OWN, hidden)
        # For an enemy: weights in (K, hidden), weights out (hidden), bias out.
        self.hyper_enemy = nn.Sequential(nn.Linear(FEATURES, HYPER), nn.ReLU(),
                                         nn.Linear(HYPER, (FEATURES + 1) * hidden + 1))
        self.hyper_ally = nn.Sequential(nn.Linear(FEATURES, HYPER), nn.ReLU(), nn.Linear(HYPER, FEATURES * hidden))
        self.rnn = nn.GRUCell(hidden, hidden)
        self.fc2_normal_actions = nn.Linear(hidden, PLAIN)

    def forward(self, obs, ids, h):
        rows, inward = obs.shape[0], FEATURES * self.hidden
        move, enemies, allies, own = obs.split([MOVE, self.enemies * FEATURES, self.allies * FEATURES, OWN], dim=1)
        enemies, allies = enemies.reshape(-1, FEATURES), allies.reshape(-1, FEATURES)
        of_enemies, of_allies = self.hyper_enemy(enemies), self.hyper_ally(allies)
        in_enemies = of_enemies[:, :inward].reshape(-1, FEATURES, self.hidden)
        in_allies = of_allies.view(-1, FEATURES, self.hidden)
        seen = torch.bmm(enemies.unsqueeze(1), in_enemies).view(rows, self.enemies, self.hidden).sum(dim=1)
        seen = seen + torch.bmm(allies.unsqueeze(1), in_allies).view(rows, self.allies, self.hidden).sum(dim=1)
        x = self.fc1_own(torch.cat([move, own], dim=1)) + self.agent_id_embedding(ids) + seen
        h = self.rnn(F.relu(x), h)
        # (rows, hidden, E): the score of an enemy is h times its weights, and its bias
        out = of_enemies[:, inward:-1].reshape(rows, self.enemies, self.hidden).transpose(1, 2)
        attack = torch.bmm(h.unsqueeze(1), out).squeeze(1) + of_enemies[:, -1].view(rows, self.enemies)
        return torch.cat([self.fc2_normal_actions(h), attack], dim=1), h


class Controller(qmix.Controller):
    def __init__(self, agents, enemies, allies, hidden):
        self.agents, self.hidden_size = agents, hidden
        self.net = Agent(agents, enemies, allies, hidden)
        self.hidden = None

    def values(self, data, t):
        batch = data["obs"].shape[0]
        ids = torch.arange(self.agents).unsqueeze(0).expand(batch, -1).reshape(-1)
        q, self.hidden = self.net(data["obs"][:, t].reshape(batch * self.agents, -1), ids, self.hidden)
        return q.view(batch, self.agents, -1)


class Learner(qmix.Learner):
    def __init__(self, shape, entities, settings):
        super().__init__(shape, settings, Controller(shape[0], *entities, settings["hidden"]))


def update_flops(learner, batch, slots):
    """Products as this form has them: the hypernetworks run on every entity, forward twice, backward as much as two
    forwards less the gradient of the observation."""
    net, mixer = learner.online.net, learner.mixer
    rows = batch * slots * learner.online.agents
    entity = net.enemies * qmix.linear_flops(net.hyper_enemy) + net.allies * qmix.linear_flops(net.hyper_ally)
    entity += 2 * (net.enemies + net.allies) * FEATURES * net.hidden + 2 * net.enemies * net.hidden
    first = 2 * (net.enemies + net.allies) * FEATURES * HYPER + 2 * net.fc1_own.weight.numel()
    agent = entity + sum(map(qmix.linear_flops, (net.fc1_own, net.rnn, net.fc2_normal_actions)))
    state = mixer.hyper_b1[0].weight.shape[1]
    hyper_first = 2 * sum(p.numel() for p in mixer.parameters() if p.dim() == 2 and p.shape[1] == state)
    return rows * (4 * agent - first) + batch * slots * (4 * qmix.linear_flops(mixer) - hyper_first)


def hide(data, name):
    """Three of five entities are out of sight."""
    made = torch.Generator().manual_seed(2)
    obs, count = data["obs"], sum(ENTITIES[name])
    seen = (torch.rand(*obs.shape[:3], count, 1, generator=made) >= 0.6).float()
    part = obs[..., MOVE:-OWN].reshape(*obs.shape[:3], count, FEATURES)
    obs[..., MOVE:-OWN] = (part * seen).reshape(*obs.shape[:3], count * FEATURES)


def bench_update(case, name, batch, variant, threads, recorded=None):
    *shape, steps = qmix.SHAPES[name]
    learner = Learner(shape, ENTITIES[name], qmix.SETTINGS)
    data, slots = qmix.mixed(shape, steps, batch, variant == "/mixed", recorded)
    if variant == "/absent":
        hide(data, name)
    qmix.report_update(case, learner, data, update_flops(learner, batch, slots) / 1e9, threads)


def bench_act(case, name, envs, variant, threads):
    *shape, steps = qmix.SHAPES[name]
    controller = Controller(shape[0], *ENTITIES[name], qmix.SETTINGS["hidden"])
    data = qmix.synthetic(shape, envs, steps + 1)
    if variant == "/absent":
        hide(data, name)
    qmix.report_act(case, controller, data, steps, threads)


def cases():
    found = {}
    for name in qmix.SHAPES:
        for batch in (4, 32, 128) if name == "27m_vs_30m" else (32, 128):
            for variant in ("", "/mixed", "/absent"):
                case = f"update/hpn_qmix/{name}/B{batch}{variant}"
                found[case] = lambda c, t, f=None, n=name, b=batch, v=variant: bench_update(c, n, b, v, t, f)
        for envs in (1, 8):
            for variant in ("", "/absent"):
                case = f"act/hpn_qmix/{name}/E{envs}{variant}"
                found[case] = lambda c, t, f=None, n=name, e=envs, v=variant: bench_act(c, n, e, v, t)
    found["peak/sgemm"] = lambda c, t, f=None: qmix.sgemm_peak(t)
    return found


def check(path):
    """The recorded updates of the official learner on 5m_vs_6m (double precision) beside this one's."""
    import json
    import struct

    import numpy

    with open(path, "rb") as file:
        raw = file.read()
    length = struct.unpack("<Q", raw[:8])[0]
    types = {"F32": numpy.float32, "F64": numpy.float64, "I32": numpy.int32}
    arrays = {}
    for key, entry in json.loads(raw[8:8 + length]).items():
        if key == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        values = numpy.frombuffer(raw[8 + length + begin:8 + length + end], types[entry["dtype"]])
        arrays[key] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    obs, avail = arrays["in.obs"], arrays["in.avail_actions"]
    shape = (obs.shape[2], obs.shape[3], arrays["in.state"].shape[2], avail.shape[3])
    learner = Learner(shape, ENTITIES["5m_vs_6m"], qmix.SETTINGS)
    for module, prefix in ((learner.online.net, "agent"), (learner.mixer, "mixer"),
                           (learner.target.net, "target_agent"), (learner.target_mixer, "target_mixer")):
        module.load_state_dict({key: arrays[f"param.{prefix}.{key}"] for key in module.state_dict()})
    data = {"obs": obs, "state": arrays["in.state"], "avail": avail, "actions": arrays["in.actions"].long(),
            "reward": arrays["in.reward"], "terminated": arrays["in.terminated"], "filled": arrays["in.filled"]}
    for update in range(1, 6):
        loss, norm = learner.update(data)
        recorded = (arrays[key][update - 1].item() for key in ("loss.td_steps", "out.grad_norm_steps"))
        print(f"update {update}: relative difference of the loss and of the gradient's norm",
              *(f"{abs(ours / theirs - 1):.1e}" for ours, theirs in zip((loss, norm), recorded)))
        if update not in (1, 5):
            continue
        differences = {f"{prefix}.{key}": (value.double() - arrays[f"after{update}.{prefix}.{key}"]).abs().max().item()
                       for module, prefix in ((learner.online.net, "agent"), (learner.mixer, "mixer"))
                       for key, value in module.state_dict().items()}
        worst = max(differences, key=differences.get)
        print(f"  parameters off by at most {differences[worst]:.2e} ({worst})")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        check(sys.argv[2])
    else:
        qmix.main(cases(), __doc__)
