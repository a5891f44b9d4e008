# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The lab's hosts, and its real GTP peers with their UEs.  A part of lab.sh.

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
