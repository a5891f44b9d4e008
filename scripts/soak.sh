#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# soak.sh - has the random network of tests/model attach, hand over and talk for
# hours, while parts of the TOF are broken (tests/faults) and services come and
# go; after each minute memory, descriptors, sets and tables have to be back at
# their level.
#
# Usage: soak.sh HOURS [ovs|xdp] [SEED]
#
# It has a lab of its own (tests/net/private), and uses what is built.  HOURS may
# be a fraction (0.5).  The exit status is 0 if no packet of one UE was in
# another's tunnel, and nothing has grown.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
cd "$(dirname "$here")"
[[ ${1:-} =~ ^[0-9]+(\.[0-9]+)?$ ]] || {
    sed -n '/^# Usage/,/^set/{/^set/!s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}
[ "$(id -u)" -eq 0 ] || { echo "soak.sh: run as root" >&2; exit 1; }
TOF_OVS_DIR=${TOF_OVS_DIR:-$(ovs-gtp-patch/build.sh --print)}
export TOF_OVS_DIR TOF_NO_BUILD=1 PYTHONDONTWRITEBYTECODE=1
exec tests/net/private /usr/bin/python3 tests/faults/soak.py "$1" "${2:-xdp}" \
    ${3:+"$3"}
