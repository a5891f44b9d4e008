# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The lab's network: links, addresses, the wire.  A part of lab.sh.

single() { [ -e "$state/single" ]; }

sysctl_in() {                   # NS KEY-PATH VALUE
    in_ns "$1" sh -c "echo $3 >/proc/sys/net/$2"
}

link_pair() {                   # NS DEVICE NS DEVICE
    local end
    ip -n "$1" link add "$2" type veth peer name "$4" netns "$3"
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
    # A kernel without link-local address does not look for neighbours that it
    # has lost.
    add_address lab-app app0 192.168.100.10/24 fd00:100::10/64 fe80::10/64
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
    # To a UE that only ever sends a SYN, not for 31 s into other tests.
    sysctl_in lab-app ipv4/tcp_synack_retries 0
}

# Names by the environment: this is what keeps the wire independent of tofd.
tof_net() {
    if single; then
        in_ns lab-tof env S1U_INTERFACE=s1u0 "$scripts/tof-net" "$@"
    else
        in_ns lab-tof env S1U_ENB=enb0 S1U_SGW=sgw0 "$scripts/tof-net" "$@"
    fi
}
