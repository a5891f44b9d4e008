#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# fuzz.sh - runs the fuzz targets of tests/fuzz, as many at once as there are
# processors.
#
# Usage: fuzz.sh [--minutes N | --seconds N] [--keep DIR] [TARGET...]
#
# Each TARGET (all of FUZZ_TARGETS of the Makefile) has so long (60 minutes).
# Inputs that it finds interesting are kept in DIR/TARGET/corpus
# (fuzz-corpus), from where the next run goes on; those that break it are in
# DIR/TARGET, named crash-*, leak-*, timeout-* or oom-*.  Such a one, made small
# ("./TARGET -minimize_crash=1 FILE"), becomes a seed.
#
# On standard output there is a line a target, of the Test Anything Protocol.
# The exit status is 0 if nothing broke.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
cd "$(dirname "$here")"

seconds=3600 keep=fuzz-corpus targets=()
while [ $# -gt 0 ]; do
    case $1 in
    --minutes) seconds=$((${2:?} * 60)); shift ;;
    --seconds) seconds=${2:?}; shift ;;
    --keep) keep=${2:?}; shift ;;
    -h | --help) sed -n '/^# Usage/,/^set/s/^# \{0,1\}//p' "$0"; exit ;;
    -*) echo "fuzz.sh: unknown option $1" >&2; exit 2 ;;
    *) targets+=("$1") ;;
    esac
    shift
done
[ -e Makefile ] || { echo "fuzz.sh: configure first" >&2; exit 1; }
if [ ${#targets[@]} -eq 0 ]; then
    read -ra targets < <(make -s --no-print-directory \
        --eval='tof-show: ; @echo $(FUZZ_TARGETS)' tof-show 2>/dev/null |
        tail -n 1)
fi
make -s -j"$(nproc)" "${targets[@]}" >&2

one() {                         # TARGET
    local dir=$keep/$1
    mkdir -p "$dir/corpus"
    if "./$1" -artifact_prefix="$dir/" -max_total_time="$seconds" \
            -timeout=60 "$dir/corpus" "tests/fuzz/seeds/${1#fuzz_}" \
            >"$dir/log" 2>&1 </dev/null; then
        echo "ok - $1: $(grep '^Done' "$dir/log" | tail -n 1)"
    else
        echo "not ok - $1: see $dir"
        tail -n 60 "$dir/log" | sed 's/^/# /'
        return 1
    fi
}
export -f one
export keep seconds

printf '%s\0' "${targets[@]}" |
    xargs -0 -n 1 -P "$(nproc)" bash -c 'one "$1"' one
