#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# faults.sh - breaks the TOF in every way that we know of, one after the other,
# while packets go on: tests/faults, of which test.sh runs the quick ones.
#
# It has a lab of its own (tests/net/private): the host's network, and a lab
# that is up, are left alone.  What is there is used as it is built.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
top=$(dirname "$here")

usage() {
    cat <<'END'
Usage: faults.sh [--datapath ovs|xdp|ovs,xdp] [--record FILE] [NAME...]
       faults.sh --document [--record FILE]
       faults.sh --list

Tries the faults NAME..., or all of them (about half an hour).

  --record FILE   appends the outcomes to FILE, one JSON object a line
  --document      tries all, and writes the outcomes into doc/RELIABILITY.md
  --list          prints the names

Exit status: that of pytest; 2 wrong usage.
END
}

datapath=${TOF_TEST_DATAPATH:-ovs,xdp}
record='' document='' names=()
while [ $# -gt 0 ]; do
    case $1 in
    --datapath) datapath=${2:?}; shift ;;
    --record) record=$(realpath "${2:?}"); shift ;;
    --document) document=yes ;;
    --list) names=(--list) ;;
    -h | --help) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) names+=("$1") ;;
    esac
    shift
done
[ "$(id -u)" -eq 0 ] || { echo "faults.sh: run as root" >&2; exit 1; }

cd "$top"
pytest=(/usr/bin/python3 -m pytest -p no:cacheprovider "--datapath=$datapath")
export TOF_NO_BUILD=1 PYTHONDONTWRITEBYTECODE=1
TOF_OVS_DIR=${TOF_OVS_DIR:-$(ovs-gtp-patch/build.sh --print)}
export TOF_OVS_DIR
if [ "${names[0]:-}" = --list ]; then
    "${pytest[@]}" -q --collect-only tests/faults | sed -n 's/.*\[\(.*\)\]$/\1/p'
    exit
fi
if [ -n "$document" ] && [ -z "$record" ]; then
    record=$(mktemp)
    trap 'rm -f "$record"' EXIT
fi
[ -z "$record" ] || export TOF_FAULTS_RECORD=$record
[ ${#names[@]} -eq 0 ] ||
    pytest+=(-k "$(printf '%s or ' "${names[@]}" | sed 's/ or $//')")
status=0
tests/net/private "${pytest[@]}" -v tests/faults || status=$?
[ -z "$document" ] || /usr/bin/python3 tests/faults/document.py "$record"
exit "$status"
