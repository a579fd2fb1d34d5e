#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Kills a training run with SIGKILL at random moments, twenty times, goes on from its last checkpoint each time, and
# compares every file with those of a run that nobody killed. MARL: the program, SEED: of the moments.
set -eu

marl=${MARL:-bin/marl}
work=build/kill.$$
kills=20
seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
mkdir -p build
rm -rf "$work"
mkdir "$work"
trap 'rm -rf "$work"' EXIT
echo "seed $seed"

# Long enough for several kills, with a checkpoint every few of its iterations.
fresh() { # DIR
    exec "$marl" train --algo vdn --env lbf:5x5-2p-1f-coop --steps 12000 --seed 5 --envs 4 --threads 2 \
        --out "$1" --force --set batch_size=8 --set net.hidden_dim=16 --set replay.episodes=100 --set checkpoint.every=400 \
        --set metrics.every=300 --set eval.every=1000 --set eval.episodes=10 --set epsilon_anneal=6000 \
        --set scale_obs=1 --set updates_per_env_step=0.05
}

start() { # DIR: a fresh run, or the one that is there
    if [ -f "$1/config.json" ]; then exec "$marl" train --resume "$1" --steps 12000 --threads 1; else fresh "$1"; fi
}

compare() { # DIR
    for file in checkpoint.safetensors policy.safetensors policy-best.safetensors metrics.jsonl metrics.csv \
        config.json; do
        if ! cmp "$work/whole/$file" "$1/$file"; then
            echo "after being killed and resumed, $file differs"
            exit 1
        fi
    done
}

# A number of milliseconds below $1, from a generator of its own so that SEED repeats the moments.
moment() {
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    ms=$((seed / 65536 % $1))
    printf '%d.%03d' $((ms / 1000)) $((ms % 1000))
}

(fresh "$work/whole") > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }

killed=0
runs=0
while [ "$killed" -lt "$kills" ]; do
    dir=$work/run$runs
    (start "$dir") > "$work/log" 2>&1 &
    child=$!
    moment 500 > "$work/moment" # not in a subshell: seed goes on
    sleep "$(cat "$work/moment")"
    kill -KILL "$child" 2>/dev/null || :
    wait "$child" 2>/dev/null && status=0 || status=$?
    if [ "$status" -eq 137 ]; then
        killed=$((killed + 1))
    elif [ "$status" -eq 0 ]; then
        compare "$dir" # it was done before it was its turn
        runs=$((runs + 1))
    else
        cat "$work/log"
        echo "the run ended with status $status"
        exit 1
    fi
done
dir=$work/run$runs
if [ -d "$dir" ]; then
    (start "$dir") > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    compare "$dir"
    runs=$((runs + 1))
fi
echo "killed $killed times in $runs runs: every file has the bytes of the run never killed"
