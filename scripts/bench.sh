#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# bench.sh - measures the TOF, and its peers on the same work.
#
# Everything runs in network and mount namespaces of its own, which end with
# this script: the host's network, its /run and its BPF file system are not
# touched, and a lab that is up beside it does not matter (but for its share of
# the processors).
#
# What is measured is in tests/bench/tofbench/, one function a bench.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
top=$(dirname "$here")
python=/usr/bin/python3

usage() {
    cat <<'END'
Usage: bench.sh [--datapath ovs|xdp|both] [--quick] [--output FILE]
                [--profile DIR] [NAME...]
       bench.sh --document [--output FILE]
       bench.sh --list

Runs the benches NAME..., or all of them.  On standard output: one JSON object
a line, {"bench", "metric", "value", "unit", "baseline", "ratio", "datapath"};
on standard error what goes on, and a table at the end.

  --output FILE   appends the lines to FILE, too
  --quick         short and rough: shows that a bench works
  --profile DIR   records with perf what runs while something is measured, and
                  leaves a report a bench in DIR
  --document      runs all benches and writes the results into
                  doc/PERFORMANCE.md and the plots into doc/plots; with
                  --output, FILE keeps the lines
  --redraw FILE   the same from the lines in FILE, measuring nothing

Exit status: 0 all ran; 1 one has failed; 2 wrong usage.
END
}

die() { echo "bench.sh: $*" >&2; exit 1; }

run_python() {                  # MODULE ARGUMENT...
    PYTHONDONTWRITEBYTECODE=1 \
        PYTHONPATH="$top/tests/bench:$top/tests/net" "$python" -m "$@"
}

# Programs of ours, the patched Open vSwitch, and the bench's own.
build() {
    local ovs
    cd "$top"
    if [ -z "${TOF_NO_BUILD:-}" ]; then
        "$here/bootstrap.sh" --bench
        [ -x configure ] || ./autogen.sh
        [ -e Makefile ] || ./configure
        make -s -j"$(nproc)"
    fi
    make -s bench-programs
    ovs=$(sed -n 's/^OVS_DIR = //p' Makefile)
    [ -n "${TOF_STOCK_OVS:-}" ] || has --quick "$@" || stock_ovs
    export TOF_NO_BUILD=1 TOF_OVS_DIR=${TOF_OVS_DIR:-$ovs}
}

# Open vSwitch as Debian ships it, to compare with: unpacked, not installed, so
# that no service of this host comes with it.
stock_ovs() {
    local dir=${TOF_OVS_CACHE:-/var/cache/tof-ovs}/stock tmp
    if [ ! -d "$dir" ]; then
        tmp=$(mktemp -d)
        if (cd "$tmp" && apt-get -q download openvswitch-switch \
                openvswitch-common && for deb in *.deb; do
                    dpkg-deb -x "$deb" unpacked
                done); then
            mkdir -p "${dir%/*}"
            mv -T "$tmp/unpacked" "$dir" || :
        fi
        rm -rf "$tmp"
    fi
    [ ! -d "$dir" ] || export TOF_STOCK_OVS=$dir
}

has() {                         # OPTION ARGUMENT...
    local wanted=$1 arg
    shift
    for arg; do [ "$arg" != "$wanted" ] || return 0; done
    return 1
}

main() {
    if [ "${1:-}" = --inside ]; then
        shift
        run_python tofbench "$@"
        exit
    fi
    if has -h "$@" || has --help "$@"; then
        usage
        exit 0
    fi
    # Wrong options and names are found before anything is built; --list and
    # --redraw end here.
    run_python tofbench --check "$@" || exit
    ! has --list "$@" && ! has --redraw "$@" || exit 0
    [ "$(id -u)" -eq 0 ] || die "run as root (it makes network namespaces)"
    build "$@" >&2
    exec "$top/tests/net/private" "$0" --inside "$@"
}

main "$@"
