#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The training runs behind docs/results, one at a time, from the repository's root:
#
#   sh bench/long.sh list             the experiments and how many of their runs are finished
#   sh bench/long.sh NAME...          runs what is missing of these, then reports
#   sh bench/long.sh all              of every experiment, in the order of the list
#   sh bench/long.sh report NAME...   writes docs/results anew from the runs there are, and runs nothing
#
# It may be stopped at any time: finished runs are skipped, and one that was interrupted goes on from its last
# checkpoint with the bits it would have had. Runs lie in RUNS (default runs/results); what is worth keeping of them,
# settings and metrics, is copied to RESULTS/NAME (docs/results), where `marl plot` finds it. THREADS (default 1)
# changes no result.
set -eu
LC_ALL=C
export LC_ALL

RUNS=${RUNS:-runs/results}
RESULTS=${RESULTS:-docs/results}
THREADS=${THREADS:-1}
MARL=${MARL:-bin/marl}
PLAIN_BYTES=20000    # of a metrics.csv; longer ones are kept as their evaluations alone

eval_quick='--episodes 200 --seed 1000 --epsilon 0.05'

# name | algorithms | environment | preset | steps | seeds | variants, "-" for none | arguments of marl eval, if any
experiments() {
    cat <<LIST
quickstart-envs|qmix|lbf:5x5-2p-1f-coop|quick|250000|1 2 3 4 5|envs=1 envs=4 envs=16|$eval_quick
lbf-8x8|iql vdn qmix qplex|lbf:8x8-2p-2f-coop|tuned|1000000|1 2 3|-|
lbf-8x8-2m|iql vdn qmix|lbf:8x8-2p-2f-coop|tuned|2000000|1 2|-|
lbf-8x8-nomask|iql vdn qmix qplex|lbf:8x8-2p-2f-coop|tuned|1000000|1 2 3|env.mask_invalid=0|
lbf-10x10-3p-3f|iql vdn qmix qplex|lbf:10x10-3p-3f|tuned|2000000|1|-|
lbf-2s-8x8|iql vdn qmix qplex|lbf:2s-8x8-2p-2f-coop|tuned|2000000|1 2 3|-|
lbf-15x15-4p-3f|iql vdn qmix qplex|lbf:15x15-4p-3f|tuned|5000000|1 2 3|-|
combat-3m|qmix hpn_qmix|combat:3m|tuned|500000|1 2|-|
combat-5m_vs_6m|qmix hpn_qmix|combat:5m_vs_6m|tuned|500000|1|-|
combat-transfer|hpn_qmix|combat:5m_vs_6m|tuned|500000|1|agent_id=none|
combat-8m_vs_9m|qmix hpn_qmix|combat:8m_vs_9m|tuned|1000000|1|-|
combat-MMM2|qmix hpn_qmix|combat:MMM2|tuned|1000000|1|-|
$(for map in 5m_vs_6m 3s_vs_5z 8m_vs_9m 6h_vs_8z 3s5z_vs_3s6z MMM2 corridor 2c_vs_64zg bane_vs_bane 27m_vs_30m; do
        echo "hpn-$map|qmix hpn_vdn hpn_qmix hpn_qplex|combat:$map|pymarl3|10000000|1 2 3|-|"
    done)
LIST
}

say() { printf '%s\n' "$*" >&2; }

# The line of an experiment, split into variables.
load() {
    line=$(experiments | grep "^$1|") || {
        say "long.sh: there is no experiment $1; there are: $(experiments | cut -d'|' -f1 | tr '\n' ' ')"
        exit 2
    }
    IFS='|' read -r name algos env preset steps seeds variants eval_args <<LINE
$line
LINE
}

# each COMMAND: calls it for every run of the loaded experiment with $run, $algo, $seed and $variant set.
each() {
    for variant in $variants; do
        for algo in $algos; do
            for seed in $seeds; do
                run=$algo
                [ "$variant" = - ] || run=$run-$(printf %s "$variant" | tr -c 'A-Za-z0-9.\n' '-')
                run=$run-s$seed
                "$@"
            done
        done
    done
}

is_finished() { [ -f "$RUNS/$name/$run/made-by.txt" ] && grep -q '^finished' "$RUNS/$name/$run/made-by.txt"; }

commit() {
    head=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
    [ -z "$(git status --porcelain -- src include cli 2>/dev/null)" ] || head="$head with changes"
    echo "$head"
}

machine() {
    model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -n 1)
    echo "${model:-$(uname -m)}, $(nproc 2>/dev/null || echo some) cores"
}

train() {
    is_finished && return
    out=$RUNS/$name/$run
    mkdir -p "$out"
    say "== $name: $run"
    { echo "commit $(commit)"; echo "machine $(machine), threads $THREADS"; } >> "$out/made-by.txt"
    begun=$(date +%s)
    if [ -f "$out/checkpoint.safetensors" ]; then
        nice "$MARL" train --resume "$out" --steps "$steps" --threads "$THREADS"
    else
        set -- --algo "$algo" --env "$env" --preset "$preset" --steps "$steps" --seed "$seed"
        [ "$variant" = - ] || set -- "$@" --set "$variant"
        nice "$MARL" train "$@" --threads "$THREADS" --out "$out" --force
    fi
    echo "finished $steps steps, $(($(date +%s) - begun)) s" >> "$out/made-by.txt"
}

# What stays of a finished run.
keep() {
    is_finished || return 0
    from=$RUNS/$name/$run
    to=$RESULTS/$name/$run
    mkdir -p "$to"
    cp "$from/config.json" "$from/made-by.txt" "$to/"
    if [ "$(wc -c < "$from/metrics.csv")" -le $PLAIN_BYTES ]; then
        cp "$from/metrics.csv" "$to/"
    else
        awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "is_evaluation") flag = i } NR == 1 || $flag == 1' \
            "$from/metrics.csv" > "$to/metrics.csv"
    fi
}

# One row of the table of runs: the mean of the last five evaluations at half of the steps and at the end.
row() {
    [ -f "$RESULTS/$name/$run/metrics.csv" ] || return 0
    awk -F, -v run="$run" -v steps="$steps" '
        function last(count,    i, sum, from) {
            from = count > 5 ? count - 5 : 0
            for (i = from + 1; i <= count; i++) sum += value[i]
            return count ? sprintf("%.3f", sum / (count - from)) : "-"
        }
        NR == 1 { for (i = 1; i <= NF; i++) column[$i] = i; next }
        $column["is_evaluation"] == 1 {
            value[++count] = $column["eval_return_mean"]
            if ($1 <= steps / 2) half = count
            if (value[count] > best || count == 1) best = value[count]
        }
        END { printf "| %s | %s | %s | %.3f |\n", run, last(half), last(count), best }' "$RESULTS/$name/$run/metrics.csv"
}

count_finished() { if is_finished; then finished=$((finished + 1)); fi; total=$((total + 1)); }

count_runs() {
    finished=0
    total=0
    each count_finished
}

finished_dirs() { if is_finished; then echo "$RUNS/$name/$run"; fi; }

millions() { awk -v n="$1" 'BEGIN { if (n >= 1e6) printf "%gM", n / 1e6; else printf "%gk", n / 1e3 }'; }

# The different lines of made-by.txt that begin with a word, in one line.
made_by() { sed -n "s/^$1 //p" "$RESULTS/$name"/*/made-by.txt | sort -u | paste -sd'|' | sed 's/|/ and /g'; }

with_commas() { echo "$1" | sed 's/ /, /g'; }

# Those that a kept run is of.
present_algos() {
    for algo in $algos; do
        for kept in "$RESULTS/$name/$algo"-*; do
            if [ -d "$kept" ]; then echo "$algo"; break; fi
        done
    done | paste -sd' '
}

section() {
    shown="marl train --algo A --env $env --preset $preset --steps $steps --seed S"
    where="S = $(with_commas "$seeds")"
    [ "$variants" = - ] || shown="$shown --set V"
    [ "$variants" = - ] || where="V = $(with_commas "$variants"); $where"
    there=$(present_algos)
    case $there in
    *' '*) where="A = $(with_commas "$there"); $where" ;;
    *) shown=$(echo "$shown" | sed "s/--algo A/--algo $there/") ;;
    esac
    echo
    echo "![Learning curves of $name]($name.svg)"
    echo
    echo "\`$shown\`"
    echo
    echo "$where. Commit $(made_by commit); $(made_by machine)."
    echo
    sed '/shows it\.$/d' "$RESULTS/$name/table.txt"
    if [ -f "$RESULTS/$name/eval.txt" ]; then
        echo "After training, by \`marl eval $eval_args\`:"
        echo
        cat "$RESULTS/$name/eval.txt"
        echo
    fi
    echo "Each run, as the mean of its last five evaluations:"
    echo
    echo "| run | at $(millions $((steps / 2))) steps | at $(millions "$steps") steps | best evaluation |"
    echo "|:----|---:|---:|---:|"
    each row
    echo
}

# Puts the section between its marks in README.md, at the end if it has none.
place_section() {
    readme=$RESULTS/README.md
    [ -f "$readme" ] || echo "# Results" > "$readme"
    if ! grep -q "^<!-- $name -->" "$readme"; then
        printf '\n## %s\n<!-- %s -->\n<!-- /%s -->\n' "$name" "$name" "$name" >> "$readme"
    fi
    section > "$RESULTS/$name/section.md"
    awk -v name="$name" -v file="$RESULTS/$name/section.md" '
        $0 == "<!-- /" name " -->" { inside = 0 }
        !inside { print }
        $0 == "<!-- " name " -->" { inside = 1; while ((getline line < file) > 0) print line }' "$readme" > "$readme.new"
    mv "$readme.new" "$readme"
    rm -f "$RESULTS/$name/section.md" "$RESULTS/$name/table.txt"
}

report() {
    load "$1"
    each keep
    if ! ls "$RESULTS/$name"/*/config.json >/dev/null 2>&1; then
        say "long.sh: no run of $name is finished"
        return
    fi
    "$MARL" plot "$RESULTS/$name" --out "$RESULTS/$name.svg" --title "$env, preset $preset" \
        > "$RESULTS/$name/table.txt"
    if [ -n "$eval_args" ] && [ -n "$(each finished_dirs)" ]; then
        # shellcheck disable=SC2046,SC2086
        "$MARL" eval $(each finished_dirs) $eval_args | sed -n '/^|/p' > "$RESULTS/$name/eval.txt"
    fi
    place_section
    say "$RESULTS/README.md and $RESULTS/$name.svg show $name"
}

list() {
    for name in $(experiments | cut -d'|' -f1); do
        load "$name"
        count_runs
        printf '%-18s %2d of %2d  %s on %s, %s steps\n' "$name" $finished $total "$algos" "$env" "$(millions "$steps")"
    done
}

case ${1:-} in
'' | -h | --help) sed -n '3,14s/^# \{0,1\}//p' "$0"; exit ;;
list) list; exit ;;
all)
    # shellcheck disable=SC2046
    set -- $(experiments | cut -d'|' -f1)
    ;;
report)
    shift
    [ -x "$MARL" ] || make
    for wanted in "$@"; do report "$wanted"; done
    exit
    ;;
esac

for wanted in "$@"; do load "$wanted"; done
mkdir -p "$RUNS"
exec 9> "$RUNS/lock"
if command -v flock >/dev/null && ! flock -n 9; then
    say "long.sh: another long.sh is at work in $RUNS"
    exit 1
fi
[ "$MARL" != bin/marl ] || make
for wanted in "$@"; do
    load "$wanted"
    each train
    report "$wanted"
done
