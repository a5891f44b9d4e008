#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# lab.sh - a small LTE network in network namespaces around the TOF.
#
#   lab-enb [s1u0]---[enb0] lab-tof [sgw0]---[s1u0] lab-sgw [pdn0]---[pdn0] lab-pdn
#                            [app0]---[app0] lab-app
#
# or, with --single, a switch with one cable to each of the three:
#
#   lab-enb [s1u0]---[enb] lab-sw [sgw]---[s1u0] lab-sgw
#                          [tof]---[s1u0] lab-tof
#
# Used by demo.sh, by the network tests and by hand.  What it makes is in those
# namespaces and in $state; the host's own network is not touched.
# The addresses are in make_links(), in lab-network.sh.  TOF_LAB_PATIENCE: for
# how many seconds it waits for tofd to be healthy (60).
set -euo pipefail

readonly state=/run/tof-lab
readonly namespaces=(lab-enb lab-sgw lab-pdn lab-app lab-tof lab-sw)
readonly tofd_namespaces=(tof-app tof-learn)    # Made by tofd.
readonly api=http://127.0.0.1:8080
readonly n_ues=3 ue_apn=internet spare_apn=spare

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
top=$(dirname "$here")

# In a checkout it builds what it runs.  Installed, it has no checkout around it,
# and runs what is installed, too.
if [ -e "$top/configure.ac" ]; then
    tofd=$top/tofd scripts=$here bootstrap=()
else
    tofd=$(type -P tofd) scripts=$(dirname "$tofd") bootstrap=(--lab)
    TOF_NO_BUILD=1
    : "${TOF_OVS_DIR:=${scripts%/*}/libexec/tof/ovs}"
fi

# shellcheck source=scripts/lab-network.sh
. "$here/lab-network.sh"
# shellcheck source=scripts/lab-peers.sh
. "$here/lab-peers.sh"

usage() {
    cat <<'END'
Usage: lab.sh up [--datapath auto|ovs|xdp] [--peers real|none] [--config FILE]
                 [--no-tof] [--single]
       lab.sh down | status
       lab.sh ue N COMMAND...       run COMMAND next to UE N (1, 2, 3): UE_ADDR
                                    is its address, UE_DEV its device
       lab.sh exec NS COMMAND...    run COMMAND in namespace NS
       lab.sh contexts              UE address, uplink TEID, downlink TEID (hex)
                                    of every bearer, as the gateway has them
       lab.sh tofd start|stop|kill|restart
       lab.sh ovs start|stop|kill|kill-database
--no-tof makes the network and the wire, and starts neither OVS nor tofd.
--single: eNodeBs and SGW in one Ethernet, with routes by the TOF's only adapter.
END
}

# What stays must not hold on to what the caller has open: pipes, locks.
close_inherited() {
    local fd
    for fd in /proc/$$/fd/*; do
        fd=${fd##*/}
        [ "$fd" -le 2 ] || [ "$fd" -eq 255 ] || eval "exec $fd>&-"
    done
}
close_inherited

say() { echo "lab: $*"; }
warn() { echo "lab: $*" >&2; }
die() { warn "$@"; exit 1; }

in_ns() {                       # NS COMMAND...
    local ns=$1
    shift
    nsenter --net="/run/netns/$ns" "$@"
}

# wait_for SECONDS WHAT COMMAND...: until COMMAND succeeds; longer on a slow
# machine (scripts/vm.sh).
wait_for() {
    local end=$((SECONDS + $1 * ${TOF_TEST_PATIENCE:-1})) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        if [ "$SECONDS" -ge "$end" ]; then
            warn "waited in vain for $what"
            return 1
        fi
        sleep 0.05
    done
}

# One "up" or "down" at a time.  What they start must not hold the lock: launch()
# and logged() close it.
lock() {
    exec 8>/run/tof-lab.lock
    flock -w 900 8 || die "another lab.sh is at work"
}

# --- Processes: recorded as "pid starttime" in $state/pid/NAME ----------------

start_time() { # PID: field 22, counted after the name, which may hold blanks.
    local stat
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    stat=${stat##*) }
    set -- $stat
    [ "$1" != Z ] && echo "${20}"
}

# The pid of NAME, if that very process is alive.
pid_of() {
    local pid started
    [ -r "$state/pid/$1" ] || return 1
    read -r pid started <"$state/pid/$1"
    [ "$(start_time "$pid")" = "$started" ] || return 1
    echo "$pid"
}

# launch NAME NS COMMAND...: in the background, in a session of its own, holding
# none of the caller's files; its output goes to $state/NAME.log.
launch() {
    local name=$1 ns=$2 pid
    shift 2
    (
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            [ "$fd" -le 2 ] || eval "exec $fd>&-"
        done
        exec </dev/null >>"$state/$name.log" 2>&1
        cd /
        exec nsenter --net="/run/netns/$ns" setsid "$@"
    ) &
    pid=$!
    disown "$pid"
    mkdir -p "$state/pid"
    echo "$pid $(start_time "$pid")" >"$state/pid/$name"
}

gone() { ! pid_of "$1" >/dev/null; }

# halt NAME [SIGNAL [SECONDS]]: ends it, after SECONDS with SIGKILL.
halt() {
    local name=$1 pid
    if pid=$(pid_of "$name"); then
        kill "-${2:-TERM}" "$pid" 2>/dev/null || :
        if ! wait_for "${3:-10}" "$name to end" gone "$name"; then
            kill -KILL "$pid" 2>/dev/null || :
            wait_for 5 "$name to die" gone "$name" || :
        fi
    fi
    rm -f "$state/pid/$name"
}

# --- Building -----------------------------------------------------------------

logged() {                      # LOG COMMAND...: shows the log's end if it fails
    local log=$1
    shift
    if ! "$@" >>"$log" 2>&1 </dev/null 8>&-; then
        warn "failed: $*; the end of $log:"
        tail -n 30 "$log" >&2
        return 1
    fi
}

# The value of a variable of the Makefile.
make_var() {
    make -s --no-print-directory --eval="tof-show: ; @echo \$($1)" tof-show \
        2>/dev/null | tail -n 1
}

build_tof() {
    [ -z "${TOF_NO_BUILD:-}" ] || return 0
    cd "$top"
    [ -x configure ] || logged "$state/build.log" ./autogen.sh
    [ -e Makefile ] || logged "$state/build.log" ./configure
    # Other patches, another Open vSwitch to link with.
    if [ "$(readlink -f "$(make_var OVS_DIR)")" != \
         "$(readlink -f "$TOF_OVS_DIR")" ]; then
        logged "$state/build.log" make clean
        logged "$state/build.log" ./config.status --recheck
        logged "$state/build.log" ./config.status
    fi
    logged "$state/build.log" make -j"$(nproc)"
    cd - >/dev/null
}

build_ovs() {
    if [ -z "${TOF_OVS_DIR:-}" ]; then
        logged "$state/ovs-build.log" "$top/ovs-gtp-patch/build.sh"
        TOF_OVS_DIR=$(tail -n 1 "$state/ovs-build.log")
    fi
    [ -d "$TOF_OVS_DIR" ] || die "no Open vSwitch in '$TOF_OVS_DIR'"
    export TOF_OVS_DIR
    echo "$TOF_OVS_DIR" >"$state/ovs-dir"
}

# --- OVS and tofd -------------------------------------------------------------

write_config() {                # DATAPATH
    local s1u='{enb: enb0, sgw: sgw0}'
    if single; then
        s1u='{interface: s1u0, enodebs: [10.1.0.1/32, 10.1.0.8/29, "fd01::1/128", "fd01::8/125"], sgws: [10.1.0.2/32, "fd01::2/128"]}'
    fi
    cat >"$state/tof.yaml" <<END
s1u: $s1u
apps: {interface: app0, address: [192.168.100.1/24, "fd00:100::1/64"], routes: [], namespace: tof-app, may_connect: true}
functions: {}
datapath: $1
learn: all
pinger: {targets: [203.0.113.10, "2001:db8:9::10"], interval_ms: 200, attempts: 5, rate_per_second: 20000, pairing: proved}
sessions: {max: 1000000, idle_seconds: 300, evidence_seconds: 10}
api: {listen: "127.0.0.1:8080"}
registry: []
run_dir: $state/run
state_dir: $state/state
END
}

choose_config() {               # DATAPATH FILE
    if [ -z "$2" ]; then
        write_config "${1:-auto}"
    elif [ -n "$1" ]; then
        { grep -v '^datapath:' "$2"; echo "datapath: $1"; } >"$state/tof.yaml"
    else
        echo "$2" >"$state/config-path"
        return
    fi
    echo "$state/tof.yaml" >"$state/config-path"
}

lab_config() { cat "$state/config-path" 2>/dev/null; }

tof_ovs() {                     # start|stop
    [ -e "$state/ovs-dir" ] && [ -e "$state/config-path" ] || return 0
    TOF_OVS_DIR=$(<"$state/ovs-dir") TOFD=$tofd \
        logged "$state/ovs.log" in_ns lab-tof \
        "$scripts/tof-ovs" "$1" -c "$(lab_config)"
}

# The pid of an OVS daemon by the pid file that it wrote itself, if that is a
# program of our build in lab-tof.
ovs_pid() {                     # DAEMON
    local f pid dir
    [ -r "$state/ovs-dir" ] || return 1
    dir=$(readlink -f "$(<"$state/ovs-dir")")
    f=$(run_dir)/ovs/$1.pid
    [ -r "$f" ] || return 1
    pid=$(<"$f")
    [ "$(ip netns identify "$pid" 2>/dev/null)" = lab-tof ] || return 1
    case $(readlink "/proc/$pid/exe") in
    "$dir"/*"$1"*) echo "$pid"; return ;;
    esac
    return 1
}

ovs_leftovers() {
    local daemon pid
    for daemon in ovs-vswitchd ovsdb-server; do
        ! pid=$(ovs_pid "$daemon") || kill -KILL "$pid"
    done
}

# OVS crashes.
ovs_kill() {                    # DAEMON
    local pid
    pid=$(ovs_pid "$1") || die "$1 is not running"
    kill -KILL "$pid"
}

run_dir() {
    local dir
    dir=$(sed -n 's/^run_dir:[[:space:]]*\([^[:space:]#]*\).*/\1/p' \
        "$(lab_config)" 2>/dev/null | tr -d "'\"")
    echo "${dir:-/run/tof}"
}

healthy() {
    [ "$(in_ns lab-tof curl -s -o /dev/null -m 2 -w '%{http_code}' \
        "$api/healthz")" = 200 ]
}

tofd_ended_or_healthy() { gone tofd || healthy; }

tofd_start() {
    pid_of tofd >/dev/null && return
    touch "$state/tofd-started"
    launch tofd lab-tof "$tofd" -c "$(lab_config)"
    if ! wait_for "${TOF_LAB_PATIENCE:-60}" "tofd to be healthy" \
        tofd_ended_or_healthy || gone tofd
    then
        warn "tofd is not healthy; the end of its log:"
        tail -n 40 "$state/tofd.log" >&2
        return 1
    fi
}

# --- Commands -----------------------------------------------------------------

cmd_up() {
    local datapath='' peers=real config='' single='' tof=1
    while [ $# -gt 0 ]; do
        case $1 in
        --datapath) datapath=${2:?}; shift ;;
        --datapath=*) datapath=${1#*=} ;;
        --peers) peers=${2:?}; shift ;;
        --peers=*) peers=${1#*=} ;;
        --config) config=${2:?}; shift ;;
        --config=*) config=${1#*=} ;;
        --no-tof) tof= ;;
        --single) single=1 ;;
        *) usage >&2; exit 2 ;;
        esac
        shift
    done
    case $datapath in ''|auto|ovs|xdp) ;; *) usage >&2; exit 2 ;; esac
    case $peers in real|none) ;; *) usage >&2; exit 2 ;; esac
    if [ -n "$config" ]; then
        [ -r "$config" ] || die "$config: cannot be read"
        config=$(readlink -f "$config")
    fi

    cmd_down
    [ -z "$tof" ] || refuse_another_tof
    mkdir -p "$state/pid"
    [ -z "$single" ] || touch "$state/single"
    trap 'warn "not up, so taken down"; keep_logs; cmd_down' EXIT
    "$here/bootstrap.sh" "${bootstrap[@]}" >"$state/bootstrap.log" 2>&1 ||
        { cat "$state/bootstrap.log" >&2; exit 1; }
    choose_config "$datapath" "$config"
    if [ -n "$tof" ]; then
        build_ovs               # tofd is linked with it.
        build_tof
    fi
    make_links
    echo "$peers" >"$state/peers"
    [ "$peers" = real ] || silence
    tof_net up
    start_hosts
    [ "$peers" = none ] || start_peers
    if [ -n "$tof" ]; then
        tof_ovs start
        tofd_start
    fi
    trap - EXIT
    say "up (peers: $peers, tof: ${tof:+$(lab_config)})"
}

# The lab's tofd would take a TOF of this host's for its own: namespaces are
# known by their names.
refuse_another_tof() {
    local ns lock=/run/tof/tofd.lock what=
    for ns in "${tofd_namespaces[@]}"; do
        [ ! -e "/run/netns/$ns" ] || what="has the namespace $ns"
    done
    [ ! -e $lock ] || flock --nonblock $lock true || what='runs'
    [ -z "$what" ] || die "a TOF of this host $what, and the lab's has the same" \
        "names; first: service tof stop; tof-net clear"
}

# What there was to read when it failed outlives the lab.
keep_logs() {
    rm -rf /tmp/tof-lab-failed
    mkdir -p /tmp/tof-lab-failed
    cp "$state"/*.log "$state"/*.yaml /tmp/tof-lab-failed/ 2>/dev/null || :
    warn "its logs are in /tmp/tof-lab-failed"
}

# eBPF programs and tables outlive tofd, and their namespace.
remove_programs() {
    local inode
    inode=$(stat -Lc %i /run/netns/lab-tof 2>/dev/null) || return 0
    rm -rf "/sys/fs/bpf/tof/$inode"
}

cmd_down() {
    local f ns left doomed
    trap - EXIT
    set +e
    halt tofd
    tof_ovs stop
    halt sgsnemu KILL
    remove_programs
    for f in "$state"/pid/*; do
        [ -e "$f" ] && halt "${f##*/}"
    done
    ovs_leftovers
    # lab-ue*: of a test that did not come to its end.
    mapfile -t doomed < <(ip netns list | awk '/^lab-ue/ { print $1 }')
    doomed+=("${namespaces[@]}")
    # Another tofd of this machine may have namespaces of these names.
    [ ! -e "$state/tofd-started" ] || doomed+=("${tofd_namespaces[@]}")
    for ns in "${doomed[@]}"; do
        [ -e "/run/netns/$ns" ] || continue
        left=$(ip netns pids "$ns" 2>/dev/null | paste -sd ' ')
        [ -z "$left" ] || warn "$ns: not started by the lab, left alone: $left"
        ip netns del "$ns"
    done
    rm -rf "$state"
    set -e
}

cmd_status() {
    local ns f name
    if [ ! -d "$state" ]; then
        say "down"
        exit 3
    fi
    for ns in "${namespaces[@]}" "${tofd_namespaces[@]}"; do
        if [ -e "/run/netns/$ns" ]; then
            echo "namespace $ns: $(ip -n "$ns" -br addr |
                awk '$1 != "lo" { sub(/@.*/, "", $1); $2 = ""; print }' |
                paste -sd ';' | tr -s ' ')"
        fi
    done
    for f in "$state"/pid/*; do
        [ -e "$f" ] || continue
        name=${f##*/}
        echo "process $name: $(pid_of "$name" || echo gone)"
    done
    if [ -s "$state/ues" ]; then
        awk '{ print "UE " NR ": " $1 ", uplink TEID 0x" $2 \
                     ", downlink TEID 0x" $3 }' "$state/ues"
    fi
    tof_net status || :
    if healthy; then echo "tofd: healthy"; else echo "tofd: not healthy"; fi
}

cmd_ue() {
    local line
    [ $# -ge 2 ] || { usage >&2; exit 2; }
    line=$(sed -n "$1p" "$state/ues" 2>/dev/null) || :
    [ -n "$line" ] || die "no UE $1"
    shift
    exec nsenter --net=/run/netns/lab-enb \
        env UE_ADDR="${line%% *}" UE_DEV=tun0 "$@"
}

cmd_exec() {
    local ns=${1:-}
    [ $# -ge 2 ] || { usage >&2; exit 2; }
    [ -e "/run/netns/$ns" ] || die "no namespace $ns"
    shift
    exec nsenter --net="/run/netns/$ns" "$@"
}

cmd_tofd() {
    [ -d "$state" ] || die "the lab is down"
    case ${1:-} in
    start) tofd_start ;;
    stop) halt tofd ;;
    kill) halt tofd KILL ;;
    restart) halt tofd; tofd_start ;;
    *) usage >&2; exit 2 ;;
    esac
}

cmd_ovs() {
    [ -e "$state/ovs-dir" ] || die "the lab is down, or without OVS"
    case ${1:-} in
    start|stop) tof_ovs "$1" ;;
    kill) ovs_kill ovs-vswitchd ;;
    kill-database) ovs_kill ovsdb-server ;;
    *) usage >&2; exit 2 ;;
    esac
}

main() {
    local cmd=${1:-}
    [ $# -eq 0 ] || shift
    case $cmd in
    up|down|status|ue|exec|contexts|tofd|ovs) ;;
    -h|--help|help) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
    esac
    [ "$(id -u)" -eq 0 ] || die "run as root"
    case $cmd in up|down) lock ;; esac
    if [ "$cmd" = contexts ]; then contexts $ue_apn; else "cmd_$cmd" "$@"; fi
}

main "$@"
