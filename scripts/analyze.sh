#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# analyze.sh - looks for faults in src and api without running them: gcc
# -fanalyzer, and clang-tidy's checks for what is bug-prone.
#
# Usage: analyze.sh [FILE.c...]
#
# The tree has to be configured.  All files take 40 s, of two processors.  A
# finding that is no fault has its reason in scripts/analyze.accepted.  Others
# are printed, and so is what that file has although nothing finds it any more.
# Of FILE... all findings are printed, each with the way that leads to it.  The
# exit status is 0 if there is nothing to mend, else 1.
#
# clang's own analyzer is not among them: it takes three times as long, and
# takes all of Open vSwitch's lists for a use of what has been freed.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
cd "$(dirname "$here")"
readonly accepted=scripts/analyze.accepted

case ${1:-} in
-h | --help) sed -n '/^# Usage/,/^set/s/^# \{0,1\}//p' "$0"; exit ;;
esac
[ -e Makefile ] || { echo "analyze.sh: configure first" >&2; exit 1; }

make_var() {
    make -s --no-print-directory --eval="tof-show: ; @echo $1" tof-show |
        tail -n 1
}

# Those are left out that ask for another style than ours: strcmp() with "!=
# 0", no sizes of pointers, no arguments of one type in a row, no numbers made
# wider or narrower, no equal branches.
tidy='-*,bugprone-*,misc-misplaced-const,misc-redundant-expression'
for check in assignment-in-if-condition branch-clone \
        easily-swappable-parameters macro-parentheses \
        implicit-widening-of-multiplication-result narrowing-conversions \
        reserved-identifier sizeof-expression suspicious-string-compare; do
    tidy+=",-bugprone-$check"
done
# shellcheck disable=SC2016
flags="-std=gnu11 $(make_var '$(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS)')"
# shellcheck disable=SC2016
flags+=" $(make_var '$(CTL_CFLAGS)')"
work=$(mktemp -d "${TMPDIR:-/tmp}/tof-analyze.XXXXXX")
trap 'rm -rf "$work"' EXIT
export tidy flags work LC_ALL=C

look_at() {                     # FILE: fails if it could not be looked at.
    local log=$work/${1//\//_}.log
    # shellcheck disable=SC2086
    gcc $flags -Wall -Wextra -fanalyzer -c -o /dev/null "$1" >"$log" 2>&1 &&
        clang-tidy --quiet --checks="$tidy" "$1" -- $flags >>"$log" 2>&1 ||
        { cat "$log" >&2; return 1; }
}
export -f look_at

# Prints what is found, each as "FILE FUNCTION CHECK", by which the list knows
# it, a tab, and the line.  In the source a function's name begins its line.
findings() {
    local text file line check name
    sed -n "s|^$PWD/||; /^[^ :]*:[0-9]*:[0-9]*: warning: .*\]\$/p" \
        "$work"/*.log | sort -u | while IFS= read -r text; do
        IFS=: read -r file line _ <<<"$text"
        check=${text##*\[}
        name=$(sed -n "1,$line s/^\([a-z_0-9]*\)(.*/\1/p" "$file" | tail -n 1)
        printf '%s %s %s\t%s\n' "$file" "$name" "${check%\]}" "$text"
    done
}

# shellcheck disable=SC2016
read -ra generated < <(make_var '$(BUILT_SOURCES)')
make -s "${generated[@]}" >&2
files=("$@")
[ $# -gt 0 ] || mapfile -t files < <(find src api -name '*.c' \
    ! -name '*.bpf.c' ! -name tof-idl.c | sort)
printf '%s\0' "${files[@]}" |
    xargs -0 -n 1 -P "$(nproc)" bash -c 'look_at "$1"' look_at

findings >"$work/found"
[ $# -eq 0 ] || grep -hv 'warnings\? generated' "$work"/*.log || :
awk -F '\t' -v all="$#" '
    FILENAME ~ /accepted$/ {
        if (/^[^# \t]/) reason[$0] = 0
        else if (/^ +[^ ]/) for (entry in reason) reason[entry] = 1
        next
    }
    { seen[$1] = 1; n++ }
    !($1 in reason) { print $2; bad++ }
    END {
        for (entry in reason) {
            if (!reason[entry]) { print entry ": has no reason"; bad++ }
            if (!all && !(entry in seen)) {
                print entry ": is accepted, but not found any more"; bad++
            }
        }
        printf "%d found, %d to be mended\n", n, bad
        exit bad > 0
    }' "$accepted" "$work/found"
