#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# pictures.sh - makes the pictures of the page that doc/ has, by a TOF in a lab of
# its own and a headless Chromium (tests/net/pictures.py); takes some minutes.
# Arguments are those of pytest: "-k phone" makes that one alone.
set -euo pipefail

cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
TOF_PICTURES=$PWD/doc TOF_NO_BUILD=1 TOF_OVS_DIR=$(ovs-gtp-patch/build.sh --print)
export TOF_PICTURES TOF_NO_BUILD TOF_OVS_DIR
exec tests/net/private /usr/bin/python3 -m pytest -p no:cacheprovider -q \
    --datapath=xdp tests/net/pictures.py "$@"
