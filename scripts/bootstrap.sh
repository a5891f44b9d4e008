#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Installs every Debian 12 package that building, running, testing and
# demonstrating the TOF needs, by name; with --bench also those that bench.sh
# draws and profiles with.  Called by demo.sh, test.sh, lab.sh and bench.sh
# before they build; does nothing, without touching the network, when all of
# them are there.
set -euo pipefail

build=(autoconf automake autoconf-archive libtool pkg-config make gcc
       libc6-dev libmnl-dev libnetfilter-conntrack-dev libnetfilter-queue-dev
       libnftnl-dev libmicrohttpd-dev libjansson-dev libyaml-dev
       libcurl4-openssl-dev libsmartcols-dev libsystemd-dev
       libbpf-dev bpftool clang llvm linux-libc-dev)
ovs=(openvswitch-source libssl-dev libcap-ng-dev libunbound-dev
     libunwind-dev libnuma-dev libbpf-dev libxdp-dev libelf-dev zlib1g-dev
     libdbus-1-dev bzip2 xz-utils patch python3 python3-sortedcontainers)
run=(iproute2 nftables ethtool procps util-linux curl jq conntrack)
test=(osmo-ggsn python3-pytest python3-pytest-xdist python3-scapy python3-yaml
      python3-jsonschema python3-requests tcpdump tshark iputils-ping clang
      libclang-rt-14-dev valgrind netcat-openbsd python3-netaddr)
bench=(gnuplot-nox linux-perf)

wanted=("${build[@]}" "${ovs[@]}" "${run[@]}" "${test[@]}")
[ "${1:-}" != --bench ] || wanted+=("${bench[@]}")
missing=()
for p in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] ||
        missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "bootstrap: missing packages: ${missing[*]}; run as root" >&2
    exit 1
fi
echo "bootstrap: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
# Daemons that packages bring along belong to the lab, not to the host: keep
# them from being started here.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get -q -y --no-install-recommends install "${missing[@]}"
