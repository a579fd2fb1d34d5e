#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libmarl beside its peers in one run: case by case and round by round in turn, so that whatever else the machine does
meets both. Prints a table of medians over the rounds, and of the ratio of each round.

    bench/compare.py [--rounds N] [--threads 1,2] [--cpu] [CASE...]

A case update/ALGO/MAP/B32/recorded has episodes as long as those of a training run, recorded in bench/lengths/MAP.txt.
Wall time is the figure that counts, on a quiet machine. --cpu compares processor time instead, which other work on the
machine hardly touches; it means something for one thread only, because waiting threads spin.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CASES = ["update/qmix/3m/B32", "update/qmix/3m/B128", "update/qmix/5m_vs_6m/B32", "update/qmix/5m_vs_6m/B128",
         "update/qmix/5m_vs_6m/B32/mixed", "update/qmix/5m_vs_6m/B128/mixed", "act/qmix/5m_vs_6m/E1",
         "act/qmix/5m_vs_6m/E8", "update/hpn_qmix/5m_vs_6m/B128", "act/hpn_qmix/5m_vs_6m/E8"]


class Peer:
    """A process that stays, because importing PyTorch takes seconds."""

    def __init__(self, python, script, threads):
        # Some of its libraries read the number of threads at start only, so there is one process for each.
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), MKL_NUM_THREADS=str(threads))
        script = os.path.join(ROOT, "bench/peers", script)
        self.process = subprocess.Popen([python, script, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=environment)
        self.threads = threads

    def run(self, case, lengths):
        self.process.stdin.write(f"{self.threads} {case} {lengths or ''}\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.strip() == ".":
                return lines
            lines.append(json.loads(line))
        sys.exit("compare.py: the peer ended early")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def run_ours(program, case, lengths, threads):
    command = [program, "--threads", str(threads), *(["--lengths", lengths] if lengths else []), case + "$"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if answer.returncode != 0:
        sys.exit(f"compare.py: {' '.join(command)} failed")
    return [json.loads(line) for line in answer.stdout.splitlines()]


def pick(lines, case, metrics):
    """The median of the first of the metrics that was measured for exactly this case."""
    for metric in metrics:
        for line in lines:
            if line["case"] == case and line["metric"] == metric:
                return metric, line["median"]
    sys.exit(f"compare.py: {case} gave none of {', '.join(metrics)}")


def compare(case, options, peer, metrics):
    ours, theirs, lengths = [], [], None
    if case.endswith("/recorded"):
        lengths = os.path.join(ROOT, "bench/lengths", case.split("/")[2] + ".txt")
        case = case[:-len("recorded")] + "mixed"
    for _ in range(options.rounds):
        metric, value = pick(peer.run(case, lengths), case, metrics)
        theirs.append(value)
        ours.append(pick(run_ours(options.program, case, lengths, peer.threads), case, [metric])[1])
    ratios = [t / o for t, o in zip(theirs, ours)]
    return metric, statistics.median(theirs), statistics.median(ours), ratios


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--threads", default="1,2")
    options.add_argument("--cpu", action="store_true", help="processor time instead of wall time")
    options.add_argument("--python", default=os.path.join(ROOT, "build/peers/bin/python"))
    options.add_argument("--program", default=os.path.join(ROOT, "build/bench/marl-bench"))
    options.add_argument("case", nargs="*")
    options = options.parse_args()
    for needed, how in ((options.python, "sh bench/peers/setup.sh"), (options.program, "make check-build")):
        if not os.access(needed, os.X_OK):
            sys.exit(f"compare.py: there is no {needed}: run {how}")
    metrics = ["cpu_ms", "cpu_us"] if options.cpu else ["ms", "us"]
    print(f"{'case':34} {'threads':>7} {'metric':>7} {'PyTorch':>10} {'libmarl':>10} {'ratio':>7}  (least-greatest)")
    for threads in (int(t) for t in options.threads.split(",")):
        peers = {}
        for case in options.case or CASES:
            script = "hpn.py" if "/hpn_" in case else "qmix.py"
            if script not in peers:
                peers[script] = Peer(options.python, script, threads)
            peer = peers[script]
            metric, theirs, ours, ratios = compare(case, options, peer, metrics)
            print(f"{case:34} {threads:7} {metric:>7} {theirs:10.4g} {ours:10.4g} {statistics.median(ratios):7.2f}  "
                  f"({min(ratios):.2f}-{max(ratios):.2f})", flush=True)
        for peer in peers.values():
            peer.close()


if __name__ == "__main__":
    main()
