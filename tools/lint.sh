#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The rules of the source tree that a compiler does not know: who may include whom, licence lines, calls that a library
# must not make, suites that would never run, plain text habits. Each finding is one line: file:line: what and why.
set -eu
LC_ALL=C
export LC_ALL
. tools/steps.sh

files() { find "$@" -type f 2>/dev/null | sort; }
c_files() { files "$@" | grep -E '\.(c|h|cpp|def|cu)$' || :; }

# Who may include whom. A layer is the folder of a file; behind it stands what its includes may begin with. marl/ are
# the public headers; a name without a slash is a header of the same folder.
#   core: base <- config <- params' table, ops, graph <- io. A parameter leaf is addressed by the table of params.h,
#   which knows nothing of graphs but the kernels' types. core/device.h is what a device hands to core.
#   run opens devices and environments through their one registry header each.
#   bench times what the public interface joins: plans, a learner by itself, the replay.
layers='
src/core/base      core/base/ marl/
src/core/config    core/base/ core/config/ marl/
src/core/ops       core/base/ core/config/ core/graph/ core/ops/ core/device.h core/params/params.h marl/
src/core/graph     core/base/ core/config/ core/graph/ core/ops/ core/device.h core/params/params.h marl/
src/core/params    core/base/ core/config/ core/params/ core/device.h core/graph/kernel.h core/graph/types.h marl/
src/core/io        core/ marl/
src/core           core/ marl/
src/backends       core/ backends/ marl/
src/nets           core/ nets/ marl/
src/algos          core/ nets/ algos/ marl/
src/envs           core/base/ envs/ marl/
src/run            core/ nets/ algos/ run/ envs/env.h envs/envs.def backends/backends.h backends/backends.def marl/
include            marl/
cli                cli/ marl/
examples           marl/
bench              bench/ core/ algos/ run/ backends/backends.h marl/
'

includes() {
    printf '%s\n' "$layers" > build/layers.txt
    { c_files src include cli examples; c_files bench | grep -v '^bench/peers/'; } | xargs awk '
        BEGIN {
            while ((getline line < "build/layers.txt") > 0) {
                count = split(line, word, " ")
                if (count == 0) continue
                allowed[word[1]] = ""
                for (i = 2; i <= count; i++) allowed[word[1]] = allowed[word[1]] " " word[i]
            }
        }
        FNR == 1 {
            layer = FILENAME
            do { if (!sub("/[^/]*$", "", layer)) layer = "" } while (layer != "" && !(layer in allowed))
        }
        /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
            name = $0
            sub(/^[^<"]*[<"]/, "", name)
            sub(/[>"].*/, "", name)
            quoted = index($0, "\"") > 0
            if (name ~ /\.(c|cpp)$/) { print FILENAME ":" FNR ": includes a source file, " name; bad = 1; next }
            if (!quoted) {
                if (name ~ /^marl\// && layer != "examples") {
                    print FILENAME ":" FNR ": write #include \"" name "\", not <" name ">"; bad = 1
                }
                next
            }
            if (name ~ /\.\.\//) { print FILENAME ":" FNR ": includes by a path upwards, " name; bad = 1; next }
            if (index(name, "/") == 0) next
            if (layer == "") { print FILENAME ":" FNR ": lies in no known layer (tools/lint.sh)"; bad = 1; next }
            count = split(allowed[layer], word, " ")
            fits = 0
            for (i = 1; i <= count; i++) {
                if (word[i] ~ /\/$/ ? index(name, word[i]) == 1 : name == word[i]) fits = 1
            }
            if (!fits) {
                print FILENAME ":" FNR ": " layer " may include" allowed[layer] " only, not " name; bad = 1
            }
        }
        END { exit bad }'
}

licences() {
    status=0
    for file in $(c_files src include cli examples tests bench) $(files tools examples tests | grep -E '\.(sh|py)$') \
        Makefile bootstrap.sh marl.map; do
        if ! head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2\.0'; then
            echo "$file:1: has no line SPDX-License-Identifier: Apache-2.0"
            status=1
        fi
    done
    return $status
}

# Comments and strings are taken out first: a comment may speak of exit, a message may say "signal".
forbidden='abort|exit|_exit|_Exit|quick_exit|raise|printf|vprintf|fprintf|vfprintf|puts|fputs|putchar|perror|assert'
forbidden="$forbidden|rand|srand|random|srandom|signal|sigaction|setjmp|longjmp|setlocale|setenv|atexit|system"
forbidden="$forbidden|strtok|gets|sprintf|strcpy|strcat|alloca"
calls() {
    c_files src | xargs awk -v calls="$forbidden" '
        FNR == 1 { inside = 0 }
        {
            line = $0
            gsub(/\\./, "", line)
            gsub(/"[^"]*"/, "\"\"", line)
            rest = ""
            while (line != "") {
                if (inside) {
                    at = index(line, "*/")
                    if (!at) { line = ""; break }
                    line = substr(line, at + 2)
                    inside = 0
                } else {
                    at = index(line, "/*")
                    if (!at) { rest = rest line; line = ""; break }
                    rest = rest substr(line, 1, at - 1)
                    line = substr(line, at + 2)
                    inside = 1
                }
            }
            sub(/\/\/.*/, "", rest)
            if (match(rest, "(^|[^A-Za-z0-9_>.])(" calls ")[ \t]*[(]")) {
                print FILENAME ":" FNR ": calls what the library must not: " substr(rest, RSTART, RLENGTH); bad = 1
            }
            if (match(rest, /(^|[^A-Za-z0-9_])(stdout|stderr)([^A-Za-z0-9_]|$)/)) {
                print FILENAME ":" FNR ": uses a stream of the host"; bad = 1
            }
        }
        END { exit bad }'
}

# Every line of tests.def names a file, every test file has a line.
suites() {
    status=0
    sed -n 's/^SUITE(\([a-z]*\), *\([a-z0-9_]*\))$/tests\/\1\/test_\2.c/p' tests/tests.def | sort > build/suites.txt
    for file in $(files tests | grep -E '^tests/[a-z]*/test_[a-z0-9_]*\.c$'); do
        if ! grep -q -x "$file" build/suites.txt; then
            echo "$file:1: has no line in tests/tests.def, so it would never run"
            status=1
        fi
    done
    while read -r file; do
        if [ ! -f "$file" ]; then
            echo "tests/tests.def: names $file, which does not exist"
            status=1
        fi
    done < build/suites.txt
    return $status
}

text() {
    { c_files src include cli examples tests bench; files tools; } | xargs awk '
        length($0) > 120 { print FILENAME ":" FNR ": longer than 120 columns"; bad = 1 }
        /[ \t]$/ { print FILENAME ":" FNR ": blanks at the end of the line"; bad = 1 }
        /^\t/ && FILENAME ~ /\.(c|h|cpp|def|sh)$/ { print FILENAME ":" FNR ": a tab; indent with four spaces"; bad = 1 }
        /(^|[^A-Z])(TODO|FIXME|XXX)([^A-Z]|$)/ && FILENAME !~ /lint\.sh$/ {
            print FILENAME ":" FNR ": unfinished work is not left in the source"; bad = 1
        }
        END { exit bad }'
}

mkdir -p build
step "include rule" includes
step "licence lines" licences
step "forbidden calls" calls
step "suites" suites
step "text" text
steps_total
