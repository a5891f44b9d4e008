#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# test.sh - installs what is needed, builds, and runs every test there is.
#
# The stages, each with a time limit and a log of its own:
#   build   autogen.sh, configure --enable-werror, make; Open vSwitch
#   unit    make check
#   ovs     ovs-gtp-patch/build.sh --check: the patches, in OVS's own suite
#   tap     TAP_TESTS of the Makefile: C programs that need root and an Open
#           vSwitch beside them, TAP output
#   net     tests/net, and what is quick of tests/faults: pytest, in lanes:
#           several at once, each of them with a lab of its own
#           (tests/net/private)
#   fuzz    scripts/fuzz.sh: FUZZ_TARGETS of the Makefile, some seconds each
#           (clang)
#   dist    tests/dist: what is shipped and installed; make distcheck
#   packages  only if asked for: tests/packages: Debian packages, lintian,
#           installed and upgraded in a Debian root
#   programs  only if asked for: builds what the others run (for vm.sh)
#
#   test.sh [STAGE|NAME...]
#                          only these stages after the build, or these files
#                          of tests/net or tests/faults (test_divert) and
#                          programs of "tap"
#                          (test_xdp)
#   test.sh --coverage [unit|tap|net|NAME...]
#                          the same (unit and tap if none is named) in a copy of
#                          the checkout, coverage/, whose programs count which
#                          of their lines have run; prints how many have, by
#                          folder.  Programs that are killed count nothing
#   TOF_TEST_DATAPATH      data paths for "net": ovs, xdp or a list (default
#                          ovs,xdp)
#   TOF_TEST_LANES         lanes of "net" (default 2)
#   TOF_TEST_PATIENCE      how many times slower than usual this machine is:
#                          so much longer is waited for anything (default 1)
#
# The host's own network, and a lab that is up, are left alone.
# The last line is "N passed, N failed", and ", N skipped" if there were any.
# The exit status is 0 if something ran and nothing failed.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
top=$(dirname "$here")
readonly fuzz_seconds=10
passed=0 failed=0 skipped=0
logs='' job=''
patience=${TOF_TEST_PATIENCE:-1}
tap_only=() net_only=()         # Programs and files that were asked for.
coverage=                       # Set: line coverage is asked for.
options=(--enable-werror)       # Of configure.

say() { echo "== $*"; }

count() {                       # PASSED FAILED SKIPPED
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    say "$stage: $1 passed, $2 failed, $3 skipped ($((SECONDS - began)) s)"
}

skip() {                        # REASON
    skipped=$((skipped + 1))
    say "$stage: skipped: $1"
}

show_log() {                    # LOG [LINES]
    echo "-- the end of $1:"
    tail -n "${2:-150}" "$1"
}

# run SECONDS COMMAND...: with its output in the stage's log.  The status is the
# command's, or 124 if its time was up, when it is interrupted.
run() {
    local limit=$(($1 * patience)) rc=0
    shift
    set -m                      # Else it would not heed SIGINT.
    timeout --signal=INT --kill-after=60 "$limit" "$@" \
        >>"$log" 2>&1 </dev/null &
    job=$!
    set +m
    wait "$job" || rc=$?
    job=
    [ "$rc" -ne 124 ] || echo "time limit of $limit s exceeded: $*" >>"$log"
    return "$rc"
}

# The value of a variable of the Makefile; nothing if it has none.
make_var() {
    make -s --no-print-directory --eval="tof-show: ; @echo \$($1)" tof-show \
        2>/dev/null | tail -n 1
}

# --- Stages -------------------------------------------------------------------

# With our options, and with the Open vSwitch of today's patches.
configured() {
    [ -e Makefile ] && [ -e config.status ] &&
        ./config.status --config 2>/dev/null | grep -q -- --enable-werror &&
        [ "$(readlink -f "$(make_var OVS_DIR)")" = \
          "$(readlink -f "$TOF_OVS_DIR")" ]
}

configure() {
    [ -x configure ] || run 300 ./autogen.sh || return
    configured && return
    [ ! -e Makefile ] || run 60 make clean || :
    run 300 ./configure "${options[@]}"
}

# All else needs this one, so its failure is the end.
stage_build() {
    TOF_OVS_DIR=
    if run 900 ovs-gtp-patch/build.sh; then
        TOF_OVS_DIR=$(grep '^/' "$log" | tail -n 1)
        export TOF_OVS_DIR
    fi
    if [ ! -d "$TOF_OVS_DIR" ] || ! configure ||
            ! run 600 make -j"$(nproc)"; then
        count 0 1 0
        show_log "$log" 80
        return 1
    fi
    say "build: done ($((SECONDS - began)) s)"
}

# What automake's test driver counts: "# PASS:  12" and so on, a block of them
# for every directory.
stage_unit() {
    local rc=0 ok bad no
    run 600 make -k check || rc=$?
    total() {
        sed 's/\x1b\[[0-9;]*m//g' "$log" |
            awk -v re="^# ($1): " '$0 ~ re { n += $NF } END { print n + 0 }'
    }
    ok=$(total 'PASS|XFAIL') bad=$(total 'FAIL|XPASS|ERROR') no=$(total SKIP)
    if [ "$rc" -ne 0 ] && [ "$bad" -eq 0 ] || [ $((ok + bad)) -eq 0 ]; then
        bad=$((bad + 1))
    fi
    count "$ok" "$bad" "$no"
    if [ "$bad" -ne 0 ]; then
        show_log "$log" 60
        find . -name test-suite.log -newer "$logs/start" -print -exec cat {} +
    fi
}

stage_ovs() {
    local rc=0 last ok=0 bad=0 no=0
    run 900 ovs-gtp-patch/build.sh --check || rc=$?
    last=$(tail -n 1 "$log")
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)? ]]
    then
        ok=${BASH_REMATCH[1]} bad=${BASH_REMATCH[2]} no=${BASH_REMATCH[4]:-0}
    fi
    if [ "$rc" -ne 0 ] && [ "$bad" -eq 0 ] || [ $((ok + bad)) -eq 0 ]; then
        bad=$((bad + 1))
    fi
    count "$ok" "$bad" "$no"
    [ "$bad" -eq 0 ] || show_log "$log"
}

# One program's TAP: what it planned and did not do has failed.
tap_result() {                  # STATUS FILE: prints PASSED FAILED SKIPPED
    awk -v rc="$1" '
        /^1\.\.0/ { none = 1 }
        /^1\.\.[0-9]+/ { split($1, p, /\.\./); plan = p[2] }
        /^ok/ { if (/# *[Ss][Kk][Ii][Pp]/) skipped++; else passed++ }
        /^not ok/ { if (/# *[Tt][Oo][Dd][Oo]/) skipped++; else failed++ }
        END {
            done = passed + failed + skipped
            if (none || (rc == 77 && !done)) { skipped++; done++ }
            else if (plan > done) failed += plan - done
            else if (!done || (rc && !failed)) failed++
            print passed + 0, failed + 0, skipped + 0
        }' "$2"
}

stage_tap() {
    local programs prog rc out result ok=0 bad=0 no=0 p f s
    programs=${tap_only[*]:-$(make_var TAP_TESTS)}
    [ -n "$programs" ] || return 0
    # shellcheck disable=SC2086
    if ! run 300 make $programs; then
        count 0 1 0
        show_log "$log"
        return
    fi
    for prog in $programs; do
        rc=0 out=$logs/tap-$(basename "$prog").log
        log=$out run 120 tests/net/private tests/tap/with-ovs "./$prog" || rc=$?
        result=$(tap_result "$rc" "$out")
        read -r p f s <<<"$result"
        ok=$((ok + p)) bad=$((bad + f)) no=$((no + s))
        grep -i '# *skip' "$out" || :
        if [ "$f" -ne 0 ]; then
            echo "-- $prog: exit $rc"
            show_log "$out"
        fi
    done
    count "$ok" "$bad" "$no"
}

junit_counts() {                # FILE: prints PASSED FAILED SKIPPED
    /usr/bin/python3 - "$1" <<'END'
import sys
import xml.etree.ElementTree as tree
total = bad = skipped = 0
for suite in tree.parse(sys.argv[1]).getroot().iter("testsuite"):
    total += int(suite.get("tests"))
    bad += int(suite.get("failures")) + int(suite.get("errors"))
    skipped += int(suite.get("skipped"))
print(max(total - bad - skipped, 0), bad, skipped)
END
}

# Each lane takes the tests of a file and data path at a time (xdist_group in
# conftest.py).  One that dies fails the test that it was at, and is replaced.
stage_net() {
    local rc=0 xml=$logs/net.xml ok=0 bad=0 no=0 result
    local lane="popen//python=$top/tests/net/private /usr/bin/python3"
    [ ${#net_only[@]} -gt 0 ] || net_only=(tests/net tests/faults)
    TOF_NO_BUILD=1 PYTHONDONTWRITEBYTECODE=1 run 2400 \
        /usr/bin/python3 -m pytest -p no:cacheprovider -q -rsx \
        --tx "${TOF_TEST_LANES:-2}*$lane" --dist loadgroup \
        --max-worker-restart 2 -o "faulthandler_timeout=$((400 * patience))" \
        --junitxml="$xml" --datapath="${TOF_TEST_DATAPATH:-ovs,xdp}" \
        -m "not thorough" "${net_only[@]}" || rc=$?
    if [ -s "$xml" ]; then
        result=$(junit_counts "$xml")
        read -r ok bad no <<<"$result"
    fi
    # 1: tests have failed.  All else is a failure of its own.
    if [ "$rc" -gt 1 ] || [ "$rc" -eq 1 ] && [ "$bad" -eq 0 ] ||
            [ $((ok + bad)) -eq 0 ]; then
        bad=$((bad + 1))
    fi
    grep -E '^(SKIPPED|XFAIL)' "$log" || :
    count "$ok" "$bad" "$no"
    [ "$bad" -eq 0 ] || show_log "$log" 400
}

# A target that finds nothing in its time has passed.
stage_fuzz() {
    local programs
    programs=$(make_var FUZZ_TARGETS)
    # shellcheck disable=SC2086
    if run 300 make -j"$(nproc)" $programs; then
        tap_script 300 scripts/fuzz.sh --seconds "$fuzz_seconds" \
            --keep "$logs/fuzz"
    else
        count 0 1 0
        show_log "$log"
    fi
}

stage_programs() {
    local programs
    programs="$(make_var TAP_TESTS) $(make_var FUZZ_TARGETS)"
    # shellcheck disable=SC2086
    if run 600 make -j"$(nproc)" check TESTS= &&
            run 600 make -j"$(nproc)" $programs; then
        count 1 0 0
    else
        count 0 1 0
        show_log "$log"
    fi
}

stage_dist() { tap_script 900 tests/dist; }

stage_packages() { tap_script 1500 tests/packages; }

tap_script() {                  # SECONDS SCRIPT [ARGUMENT...]
    local rc=0 result ok bad no
    run "$@" || rc=$?
    result=$(tap_result "$rc" "$log")
    read -r ok bad no <<<"$result"
    grep -i '# *skip' "$log" || :
    count "$ok" "$bad" "$no"
    [ "$bad" -eq 0 ] || show_log "$log"
}

# --- Coverage -----------------------------------------------------------------

# Goes on in a copy of the checkout, which is kept: only what has changed is
# built the next time.  Not optimized: so lines are those that are written.
enter_copy() {
    local copy=$top/coverage
    mkdir -p "$copy"
    git ls-files --cached --others --exclude-standard | sort >"$copy/new.tmp"
    [ ! -e "$copy/files.tmp" ] ||
        comm -23 "$copy/files.tmp" "$copy/new.tmp" | (cd "$copy" &&
            xargs -r -d '\n' rm -f)
    tar -c --ignore-failed-read -T "$copy/new.tmp" | tar -x -C "$copy"
    mv "$copy/new.tmp" "$copy/files.tmp"
    top=$copy here=$copy/scripts
    cd "$top"
    options+=(CFLAGS='-g -O0 --coverage' LDFLAGS=--coverage)
    find . -name '*.gcda' -delete
}

show_coverage() {
    stage=coverage log=$logs/coverage.log
    say "lines that have run, by folder"
    if ! run 300 gcovr -r . --json-summary "$logs/coverage.json" \
            --filter src/ --filter api/ --exclude '.*/tof-idl\.c'; then
        show_log "$log"
        failed=$((failed + 1))
        return
    fi
    jq -r '[.files[] | {folder: (.filename | sub("/[^/]*$"; "")),
                        n: .line_total, ran: .line_covered}]
        | (group_by(.folder)[], map(.folder = "all"))
        | [.[0].folder, (map(.ran) | add), (map(.n) | add)] | @tsv' \
        "$logs/coverage.json" | awk '{
            printf "%-16s %5.1f %%  %6d of %6d\n", $1, 100 * $2 / $3, $2, $3
        }'
}

# --- The whole ----------------------------------------------------------------

clean_up() {
    [ -z "$logs" ] || [ "$failed" -ne 0 ] || rm -rf "$logs"
}

interrupted() {
    trap '' INT TERM
    if [ -n "$job" ]; then
        kill "$job" 2>/dev/null || :
        wait "$job" || :
    fi
    exit 130
}

summary() {
    [ "$failed" -eq 0 ] || echo "logs: $logs"
    if [ "$skipped" -gt 0 ]; then
        echo "$passed passed, $failed failed, $skipped skipped"
    else
        echo "$passed passed, $failed failed"
    fi
}

start_stage() {
    stage=$1 began=$SECONDS log=$logs/$1.log
    : >"$log"
    say "$stage"
}

# What the arguments ask for: into stages, tap_only, net_only.
choose() {
    local s
    if [ $# -eq 0 ]; then
        stages=(unit ovs tap net fuzz dist)
        [ -z "$coverage" ] || stages=(unit tap)
    fi
    for s in "$@"; do
        if declare -F "stage_$s" >/dev/null && [ "$s" != build ]; then
            stages+=("$s")
        elif [ -e "tests/net/$s.py" ] || [ -e "tests/faults/$s.py" ] ||
                [ -e "tests/tap/$s.c" ]; then
            [ ! -e "tests/net/$s.py" ] || net_only+=("tests/net/$s.py")
            [ ! -e "tests/faults/$s.py" ] || net_only+=("tests/faults/$s.py")
            [ ! -e "tests/tap/$s.c" ] || tap_only+=("tests/tap/$s")
        else
            echo "test.sh: no stage, file or program $s" >&2
            exit 2
        fi
    done
    [ ${#tap_only[@]} -eq 0 ] || stages+=(tap)
    [ ${#net_only[@]} -eq 0 ] || stages+=(net)
}

main() {
    local stages=() s
    cd "$top"
    [ "${1:-}" != --coverage ] || { coverage=1; shift; }
    choose "$@"
    if [ "$(id -u)" -ne 0 ]; then
        echo "test.sh: run as root (the network tests make namespaces)" >&2
        exit 1
    fi
    logs=$(mktemp -d "${TMPDIR:-/tmp}/tof-test.XXXXXX")
    touch "$logs/start"
    trap clean_up EXIT
    trap interrupted INT TERM
    "$here/bootstrap.sh" --test
    [ -z "$coverage" ] || enter_copy

    start_stage build
    if stage_build; then
        for s in "${stages[@]}"; do
            start_stage "$s"
            "stage_$s"
        done
        [ -z "$coverage" ] || show_coverage
    fi
    clean_up
    trap - EXIT
    summary
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

main "$@"
