#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# release.sh - all that has to hold before a release, and that CI runs; what it
# needs is installed:
#
#   shell     shellcheck of all shell scripts
#   manual    mandoc of all manual pages
#   analysis  scripts/analyze.sh: static analysis of all sources
#   tests     the tests of test.sh
#   dist      what is shipped and installed; make distcheck
#   packages  Debian packages: built, lintian, installed, upgraded, purged
#   contract  only if asked for, being among the tests: the API as it answers,
#             against swagger/tof.yaml; and that file
#
#   release.sh [CHECK...]      only these
#
# The last line is "N passed, N failed", and ", N skipped" if there were any; the
# exit status is 0 if nothing failed.
set -euo pipefail

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
passed=0 failed=0 skipped=0

# What Git tracks whose first line names a shell.  Parts of those (lab-peers.sh)
# have none; shellcheck -x reads them along.
shell_scripts() {
    git ls-files -z | xargs -0 awk 'FNR == 1 && /^#!.*[\/ ](ba|da)?sh( |$)/ {
        print FILENAME } { nextfile }'
}

check_shell() { shell_scripts | xargs shellcheck -x -S warning; }

# tof-demo.8 is a reference to tof-lab.8, for where both are installed.
check_manual() {
    git ls-files 'man/*.[58]' 'debian/*.8' | grep -v tof-demo |
        xargs mandoc -T lint -W warning
}

# Not before the tests, which configure the tree with their options.
check_analysis() {
    { [ -e Makefile ] || { ./autogen.sh && ./configure --enable-werror; }; } &&
        scripts/analyze.sh
}

# tests NAME...: stages and files of test.sh, whose counts are added.
tests() {
    local last
    last=$(scripts/test.sh "$@" | tee >(cat >&2) | tail -n 1) || :
    if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)? ]]
    then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
        skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
    else
        failed=$((failed + 1))
    fi
}

run() {                         # CHECK
    case $1 in
    shell|manual|analysis)
        echo "== $1"
        if "check_$1"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
        fi ;;
    tests) tests unit ovs tap net fuzz ;;
    contract) tests test_rest test_rest_server test_contract test_openapi ;;
    dist|packages) tests "$1" ;;
    *) echo "release.sh: there is no check $1" >&2; exit 2 ;;
    esac
}

scripts/bootstrap.sh
[ $# -gt 0 ] || set -- shell manual tests analysis dist packages
for check; do run "$check"; done
echo "$passed passed, $failed failed$([ "$skipped" -eq 0 ] ||
    echo ", $skipped skipped")"
[ "$failed" -eq 0 ]
