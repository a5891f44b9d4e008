#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# demo.sh - the whole story on one machine: three UEs of a GPRS/LTE core, the
# TOF in their way, a service registered and removed again.
#
# Stands on lab.sh (the network and the peers) and on the REST API.  Prints what
# happens, step by step; the last line is the result.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
readonly service_ip=198.51.100.10 internet_ip=203.0.113.10
readonly app_ip=192.168.100.10 api=http://127.0.0.1:8080 ues=(1 2 3)
datapath=auto keep=

usage() {
    cat <<END
Usage: demo.sh [--datapath ovs|xdp|auto] [--keep]
--keep leaves the lab up; "scripts/lab.sh down" removes it.
END
}

options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --datapath) datapath=${2:-}; shift ;;
        --datapath=*) datapath=${1#*=} ;;
        --keep) keep=1 ;;
        -h|--help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
        esac
        shift || { usage >&2; exit 2; }
    done
    case $datapath in ovs|xdp|auto) ;; *) usage >&2; exit 2 ;; esac
}

lab() { "$here/lab.sh" "$@"; }

# --- Telling ------------------------------------------------------------------

n_step=0
step() { n_step=$((n_step + 1)); echo; echo "$n_step. $*"; }
note() { echo "   $*"; }
die() { note "FAILED: $*" >&2; exit 1; }

finish() {
    local rc=$?
    trap - EXIT INT TERM
    if [ "$rc" -ne 0 ] && [ -r /run/tof-lab/tofd.log ]; then
        echo
        echo "   the end of tofd's log:"
        tail -n 20 /run/tof-lab/tofd.log | sed 's/^/   | /'
    fi
    if [ -n "$keep" ]; then
        echo
        note "the lab stays up; remove it with: $here/lab.sh down"
    else
        lab down || :
    fi
    echo
    if [ "$rc" -eq 0 ]; then
        echo "demo: all of it worked (data path: ${used:-$datapath})"
    else
        echo "demo: FAILED in step $n_step"
    fi
    exit "$rc"
}

# --- Doing --------------------------------------------------------------------

# The service's address also exists on the Internet, so that one can see where
# its packets go: to "internet" while they are not diverted.
make_service_public() {
    lab exec lab-pdn ip addr add "$service_ip/32" dev lo
    lab exec lab-sgw ip route add "$service_ip/32" via "$internet_ip"
}

ue_get() {                      # UE ADDRESS
    # shellcheck disable=SC2016
    lab ue "$1" sh -c 'exec curl -s -m 10 --interface "$UE_ADDR" "$0"' \
        "http://$2/" || echo "no answer"
}

expect() {                      # ADDRESS WORD: of all UEs
    local ue got
    for ue in "${ues[@]}"; do
        got=$(ue_get "$ue" "$1")
        note "UE $ue ($(address_of "$ue")): http://$1/ -> $got"
        [ "$got" = "$2" ] || die "expected: $2"
    done
}

address_of() { lab contexts | awk -v n="$1" 'NR == n { print $1 }'; }

answer=                         # The body of the last answer.

rest() {                        # METHOD PATH [BODY]
    local out args=(-s -m 10 -X "$1" -w '\n%{http_code}' "$api$2")
    [ $# -lt 3 ] || args+=(-H 'Content-Type: application/json' -d "$3")
    out=$(lab exec lab-tof curl "${args[@]}") || die "$1 $2: no answer"
    answer=${out%$'\n'*}
    [ "${out##*$'\n'}" = 200 ] || die "$1 $2: ${out##*$'\n'} $answer"
}

# What the TOF has learned of a UE: "UPLINK DOWNLINK", 8 hex digits each, for
# every bearer that is proved.
learned() {                     # ADDRESS
    local up down
    rest GET "/session?ue=$1"
    jq -r '.[].bearers[] | select(.proved) |
           "\(.uplink.teid) \(.downlink.teid)"' <<<"$answer" |
        while read -r up down; do
            printf '%08x %08x\n' "$up" "$down"
        done
}

# The TOF was never told a TEID; the gateway, which knows them all, is asked.
compare_teids() {
    local addr up down got ue=0
    while read -r addr up down; do
        ue=$((ue + 1))
        got=$(learned "$addr")
        note "UE $ue ($addr)  uplink TEID, downlink TEID"
        note "    the gateway says $up $down"
        note "    the TOF learned  $got"
        [ "$got" = "$up $down" ] || die "not the same"
    done < <(lab contexts)
    [ "$ue" -eq "${#ues[@]}" ] || die "the gateway has $ue contexts"
}

story() {
    local body

    step "A network: osmo-ggsn, sgsnemu with three UEs, and the TOF between them"
    lab up --peers real --datapath "$datapath" | sed 's/^/   /'
    lab status | grep '^UE' | sed 's/^/   /'
    make_service_public
    rest GET /status
    used=$(jq -r '[.. | objects | .datapath? // empty | strings] |
                  first // empty' <<<"$answer")
    note "data path: ${used:-$datapath}"

    step "No service is registered: everything goes to the gateway as ever"
    expect "$internet_ip" internet
    expect "$service_ip" internet

    step "One REST call registers the ME App for $service_ip"
    body=$(jq -nc --arg s "$service_ip" --arg a "$app_ip" \
        '{name: "demo", serviceIP: $s, applicationIP: $a}')
    note "POST /service $body"
    rest POST /service "$body"
    note "200 $answer"

    step "Now its address is the ME App's; the Internet is where it was"
    expect "$service_ip" edge
    expect "$internet_ip" internet

    step "The tunnels were learned from the traffic; the gateway knows the truth"
    compare_teids

    step "The service is deleted: its address is the Internet's again"
    rest DELETE /service/demo
    note "DELETE /service/demo: 200"
    expect "$service_ip" internet
    expect "$internet_ip" internet
}

main() {
    options "$@"
    if [ "$(id -u)" -ne 0 ]; then
        echo "demo.sh: run as root (it makes network namespaces)" >&2
        exit 1
    fi
    # Installed, lab.sh knows what is missing.
    [ ! -e "$here/../configure.ac" ] || "$here/bootstrap.sh"
    trap finish EXIT
    trap 'exit 130' INT TERM
    story
}

main "$@"
