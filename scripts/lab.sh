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
# The addresses are in make_links().
set -euo pipefail

readonly state=/run/tof-lab
readonly namespaces=(lab-enb lab-sgw lab-pdn lab-app lab-tof lab-sw)
readonly tofd_namespaces=(tof-app tof-learn)    # Made by tofd.
readonly api=http://127.0.0.1:8080
readonly n_ues=3 ue_apn=internet spare_apn=spare

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
top=$(dirname "$here")

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
       lab.sh ovs start|stop|kill
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

# wait_for SECONDS WHAT COMMAND...: until COMMAND succeeds.
wait_for() {
    local end=$((SECONDS + $1)) what=$2
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

# --- The network --------------------------------------------------------------

single() { [ -e "$state/single" ]; }

sysctl_in() {                   # NS KEY-PATH VALUE
    in_ns "$1" sh -c "echo $3 >/proc/sys/net/$2"
}

link_pair() {                   # NS DEVICE NS DEVICE
    local end
    ip link add "$2" netns "$1" type veth peer name "$4" netns "$3"
    for end in "$1 $2" "$3 $4"; do
        set -- $end
        # A name of its own for the link-local address only where it is asked
        # for: less noise on S1-U.
        ip -n "$1" link set "$2" addrgenmode none
        sysctl_in "$1" "ipv6/conf/$2/accept_ra" 0
        in_ns "$1" ethtool -K "$2" tx off txvlan off gro on >/dev/null
        ip -n "$1" link set "$2" up
    done
}

add_address() {                 # NS DEVICE ADDRESS...
    local ns=$1 dev=$2 a
    shift 2
    for a; do
        case $a in
        *:*) ip -n "$ns" addr add "$a" dev "$dev" nodad ;;
        *) ip -n "$ns" addr add "$a" dev "$dev" ;;
        esac
    done
}

make_links() {
    local ns
    for ns in "${namespaces[@]}"; do
        ip netns add "$ns"
        ip -n "$ns" link set lo up
    done
    if single; then
        make_switch
    else
        link_pair lab-enb s1u0 lab-tof enb0
        link_pair lab-sgw s1u0 lab-tof sgw0
    fi
    link_pair lab-sgw pdn0 lab-pdn pdn0
    link_pair lab-app app0 lab-tof app0

    add_address lab-enb s1u0 10.1.0.1/24 fd01::1/64
    add_address lab-sgw s1u0 10.1.0.2/24 fd01::2/64
    ! single || route_by_tof
    add_address lab-sgw pdn0 203.0.113.1/24
    add_address lab-pdn pdn0 203.0.113.10/24
    add_address lab-app app0 192.168.100.10/24 fd00:100::10/64
    ip -n lab-pdn route add default via 203.0.113.1
    ip -n lab-app route add default via 192.168.100.1
    ip -n lab-app route add default via fd00:100::1
    sysctl_in lab-sgw ipv4/ip_forward 1
    sysctl_in lab-sgw ipv6/conf/all/forwarding 1
}

make_switch() {
    local end
    ip -n lab-sw link add sw0 type bridge mcast_snooping 0
    sysctl_in lab-sw ipv6/conf/sw0/disable_ipv6 1
    ip -n lab-sw link set sw0 up
    link_pair lab-enb s1u0 lab-sw enb
    link_pair lab-sgw s1u0 lab-sw sgw
    link_pair lab-tof s1u0 lab-sw tof
    for end in enb sgw tof; do
        sysctl_in lab-sw "ipv6/conf/$end/disable_ipv6" 1
        ip -n lab-sw link set "$end" master sw0
    done
    # Those that tests send from.
    ip -n lab-enb link set s1u0 address 0e:0e:0b:00:00:01
    ip -n lab-sgw link set s1u0 address 0e:05:09:00:00:02
}

# eNodeBs and SGW reach each other by the TOF's host, on all addresses that
# tests use.
route_by_tof() {
    add_address lab-tof s1u0 10.1.0.30/24 fd01::30/64 fe80::30/64
    add_address lab-enb s1u0 10.1.0.9/32 fd01::9/128
    ip -n lab-enb route add 10.1.0.2 via 10.1.0.30
    ip -n lab-sgw route add 10.1.0.1 via 10.1.0.30
    ip -n lab-sgw route add 10.1.0.9 via 10.1.0.30
    ip -n lab-enb route add fd01::2 via fd01::30
    ip -n lab-sgw route add fd01::1 via fd01::30
    ip -n lab-sgw route add fd01::9 via fd01::30
}

# With raw frames on S1-U the kernels of both ends must not join in.  Addresses
# stay and sockets work; only what the kernel itself would say is dropped.
# (Frames from packet sockets do not meet these chains.)
silence() {
    local ns
    for ns in lab-enb lab-sgw; do
        single || sysctl_in "$ns" ipv4/conf/s1u0/arp_ignore 8
        in_ns "$ns" nft -f - <<'END'
table inet lab_silence {
    chain output {
        type filter hook output priority 0
        oifname "s1u0" meta l4proto { icmp, ipv6-icmp, igmp } drop
        oifname "s1u0" tcp flags rst drop
    }
}
END
        # A router has to find them.
        ! single || in_ns "$ns" nft insert rule inet lab_silence output \
            icmpv6 type '{' nd-neighbor-solicit, nd-neighbor-advert '}' accept
    done
}

# Names by the environment: this is what keeps the wire independent of tofd.
tof_net() {
    if single; then
        in_ns lab-tof env S1U_INTERFACE=s1u0 "$here/tof-net" "$@"
    else
        in_ns lab-tof env S1U_ENB=enb0 S1U_SGW=sgw0 "$here/tof-net" "$@"
    fi
}

# --- Hosts and peers ----------------------------------------------------------

http_answers() {                # NS ADDRESS WORD
    [ "$(in_ns "$1" curl -s -m 2 "http://$2/")" = "$3" ]
}

start_hosts() {
    launch app lab-app "$here/lab-server.py" --echo edge
    launch internet lab-pdn "$here/lab-server.py" internet
    wait_for 10 "the ME App" http_answers lab-app 192.168.100.10 edge
    wait_for 10 "the Internet host" http_answers lab-pdn 203.0.113.10 internet
}

write_ggsn_config() {
    cat >"$state/ggsn.cfg" <<END
log stderr
 logging color 0
 logging filter all 1
 logging level ggsn info
line vty
 no login
ggsn ggsn0
 gtp state-dir $state/ggsn
 gtp bind-ip 10.1.0.2
 apn $ue_apn
  gtpu-mode tun
  tun-device tun4
  type-support v4
  ip prefix dynamic 10.45.0.0/16
  ip dns 0 203.0.113.10
  ip ifconfig 10.45.0.1/16
  no shutdown
 apn $spare_apn
  gtpu-mode tun
  tun-device tun5
  type-support v4
  ip prefix dynamic 10.46.0.0/24
  ip ifconfig 10.46.0.1/24
  no shutdown
 default-apn $ue_apn
 no shutdown ggsn
END
}

# osmo-ggsn's VTY says nothing more once it has read "exit", so the end of the
# answer is the complaint about a command that there is not.
readonly ask_ggsn='
    exec 3<>/dev/tcp/127.0.0.1/4260
    printf "%s\r\n" "show pdp-context ggsn ggsn0" no-such-command >&3
    while IFS= read -r -t 3 line <&3; do
        case $line in *Unknown*) break ;; esac
        echo "${line%$'"'\\r'"'}"
    done'

# UE address, uplink TEID (the gateway's), downlink TEID (the eNodeB's), in the
# order in which the UEs attached.
contexts() {                    # APN
    in_ns lab-sgw bash -c "$ask_ggsn" 2>/dev/null | awk -v apn="$1" '
        / Data: / { split($2, up, ":"); split($4, down, ":") }
        / APN in use: / { use = $4 }
        / End-User Address/ { if (use == apn) print $NF, up[2], down[2] }' |
        sort -k 2
}

has_contexts() { [ "$(contexts "$1" | wc -l)" -eq "$2" ]; }

start_sgsnemu() {               # NAME LOCAL APN CONTEXTS IMSI OPTION...
    local name=$1 listen=$2 apn=$3 count=$4 imsi=$5
    shift 5
    mkdir -p "$state/$name"
    launch "$name" lab-enb sgsnemu -l "$listen" -r 10.1.0.2 \
        --contexts "$count" --apn "$apn" --imsi "$imsi" --msisdn 46702123456 \
        --pidfile "$state/$name/pid" --statedir "$state/$name" "$@"
}

# Both ends count their TEIDs from 1.  So that uplink and downlink TEIDs differ,
# and a mix-up shows, two bearers of another peer exist while the UEs attach.
start_peers() {
    mkdir -p "$state/ggsn"
    write_ggsn_config
    launch ggsn lab-sgw osmo-ggsn -c "$state/ggsn.cfg"
    wait_for 10 "osmo-ggsn" in_ns lab-sgw bash -c ': </dev/tcp/127.0.0.1/4260'

    add_address lab-enb s1u0 10.1.0.3/24
    start_sgsnemu spare 10.1.0.3 $spare_apn 2 240019999999990
    wait_for 20 "the first bearers" has_contexts $spare_apn 2
    start_sgsnemu sgsnemu 10.1.0.1 $ue_apn $n_ues 240010123456789 --createif
    wait_for 20 "$n_ues bearers" has_contexts $ue_apn $n_ues
    # Asked to end it deletes its contexts, and then stays.
    kill "$(pid_of spare)"
    wait_for 10 "the first bearers to go" has_contexts $spare_apn 0
    halt spare KILL
    ip -n lab-enb addr del 10.1.0.3/24 dev s1u0
    make_ues
}

# sgsnemu has one tun device for all of its contexts, with the first one's
# address: the others are added, and what comes from them goes into the tunnel.
make_ues() {
    local addr first=
    contexts $ue_apn >"$state/ues"
    wait_for 5 "the UEs' tun device" ip -n lab-enb link show tun0
    ip -n lab-enb link set tun0 mtu 1400 up
    ip -n lab-sgw link set tun4 mtu 1400
    ip -n lab-enb route add default dev tun0 table 100
    while read -r addr _; do
        [ -n "$(ip -n lab-enb -o addr show to "$addr/32")" ] ||
            ip -n lab-enb addr add "$addr/32" dev tun0
        ip -n lab-enb rule add from "$addr/32" lookup 100
        : "${first:=$addr}"
    done <"$state/ues"
    # A command that names no address is the first UE.
    ip -n lab-enb route add default dev tun0 src "$first"
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
    TOF_OVS_DIR=$(<"$state/ovs-dir") TOFD=$top/tofd \
        logged "$state/ovs.log" in_ns lab-tof \
        "$here/tof-ovs" "$1" -c "$(lab_config)"
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
ovs_kill() {
    local pid
    pid=$(ovs_pid ovs-vswitchd) || die "ovs-vswitchd is not running"
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
    launch tofd lab-tof "$top/tofd" -c "$(lab_config)"
    if ! wait_for 60 "tofd to be healthy" tofd_ended_or_healthy || gone tofd
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
    mkdir -p "$state/pid"
    [ -z "$single" ] || touch "$state/single"
    trap 'warn "not up, so taken down"; keep_logs; cmd_down' EXIT
    "$here/bootstrap.sh" >"$state/bootstrap.log" 2>&1 ||
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
    kill) ovs_kill ;;
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
