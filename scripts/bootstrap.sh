#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Installs the Debian 12 packages that the TOF needs, by name; does nothing,
# without touching the network, when all of them are there.  By parts:
#
#   --run    what a host needs that the TOF is installed on with "make install":
#            no compiler, and nobody's daemon
#   --lab    what lab.sh and demo.sh need besides: real peers
#   --build  what building needs, also of packages (dpkg-buildpackage)
#   --test   what the tests need besides all of these; of that playwright-core
#            (tests/page/package.json) from the npm registry, to
#            /var/cache/tof-node or $TOF_NODE_CACHE, and Prometheus, which is
#            only unpacked, to /var/cache/tof-prometheus or
#            $TOF_PROMETHEUS_CACHE
#   --bench  what bench.sh draws and profiles with
#
# Without an argument it is all packages but those of --bench and the browser
# (chromium, nodejs, npm); --bench alone is everything: so demo.sh, test.sh
# (--test), bench.sh, and lab.sh in a checkout call it before they build, and
# vm.sh when it makes a machine.
set -euo pipefail

run=(iproute2 nftables ethtool procps util-linux curl jq conntrack
     libmnl0 libnetfilter-conntrack3 libnetfilter-queue1 libnftnl11
     libmicrohttpd12 libjansson4 libyaml-0-2 libsystemd0 libcurl4
     libsmartcols1 libbpf1 libxdp1 libssl3 libcap-ng0 libunbound8 libunwind8
     libnuma1)
lab=(osmo-ggsn python3)
build=(autoconf automake autoconf-archive libtool pkg-config make gcc
       libc6-dev libmnl-dev libnetfilter-conntrack-dev libnetfilter-queue-dev
       libnftnl-dev libmicrohttpd-dev libjansson-dev libyaml-dev
       libcurl4-openssl-dev libsmartcols-dev libsystemd-dev libjs-chart.js
       libbpf-dev bpftool clang llvm linux-libc-dev
       openvswitch-source libssl-dev libcap-ng-dev libunbound-dev
       libunwind-dev libnuma-dev libxdp-dev libelf-dev zlib1g-dev
       libdbus-1-dev bzip2 xz-utils patch python3 python3-sortedcontainers
       build-essential debhelper fakeroot)
test=(python3-pytest python3-pytest-xdist python3-scapy python3-yaml
      python3-jsonschema python3-requests tcpdump tshark iputils-ping
      libclang-rt-14-dev clang-tidy valgrind netcat-openbsd python3-netaddr
      gcovr lintian mmdebstrap shellcheck mandoc zsh)
bench=(gnuplot-nox linux-perf)

everything=("${run[@]}" "${lab[@]}" "${build[@]}" "${test[@]}")
wanted=()
node=                           # Is what is in no package wanted?
for part; do
    case $part in
    --run) wanted+=("${run[@]}") ;;
    --lab) wanted+=("${run[@]}" "${lab[@]}") ;;
    --build) wanted+=("${build[@]}") ;;
    --test) wanted+=("${everything[@]}") node=1 ;;
    --bench) wanted+=("${everything[@]}" "${bench[@]}") node=1 ;;
    *) echo "Usage: bootstrap.sh [--run] [--lab] [--build] [--test] [--bench]" >&2
       exit 2 ;;
    esac
done
[ $# -gt 0 ] || wanted=("${everything[@]}")
cache=${TOF_NODE_CACHE:-/var/cache/tof-node}
package=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../tests/page/package.json
# Where bootstrap.sh is alone there are no tests of the page.  npm may be there
# without being a package of that name.
[ -e "$package" ] || node=
[ -z "$node" ] || wanted+=(chromium)
[ -z "$node" ] || type node npm >/dev/null 2>&1 || wanted+=(nodejs npm)

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install_node_programs() {
    ! cmp -s "$package" "$cache/installed.json" || return 0
    echo "bootstrap: installing what tests/page/package.json names"
    mkdir -p "$cache" && cp "$package" "$cache/package.json" &&
        npm install --prefix "$cache" --no-package-lock --no-audit --no-fund \
            --ignore-scripts --silent &&
        cp "$package" "$cache/installed.json"
}

# Not as a package: that would be a daemon of this host's.
unpack_prometheus() {
    local to=${TOF_PROMETHEUS_CACHE:-/var/cache/tof-prometheus} work
    [ ! -x "$to/usr/bin/promtool" ] || return 0
    echo "bootstrap: unpacking prometheus"
    work=$(mktemp -d)
    chmod 755 "$work"
    (cd "$work" && { apt-get -q download prometheus ||
        { apt-get -q update && apt-get -q download prometheus; }; } &&
        mkdir -p "$to" && dpkg -x prometheus_*.deb "$to") || return
    rm -rf "$work"
}

missing=()
for p in "${wanted[@]}"; do
    is_installed "$p" || missing+=("$p")
done
# What is not in a package.  Tests that need it are skipped without it.
install_others() {
    [ -z "$node" ] || { install_node_programs && unpack_prometheus; } ||
        echo "bootstrap: that failed; some tests will be skipped" >&2
}

[ ${#missing[@]} -gt 0 ] || { install_others; exit 0; }

if [ "$(id -u)" -ne 0 ]; then
    echo "bootstrap: missing packages: ${missing[*]}; run as root" >&2
    exit 1
fi
echo "bootstrap: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
# Daemons that packages bring along belong to the lab, not to the host: keep
# them from being started here, and at boot.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
had_ggsn=
! is_installed osmo-ggsn || had_ggsn=1
apt-get -q -y --no-install-recommends install "${missing[@]}"
if [ -z "$had_ggsn" ] && is_installed osmo-ggsn; then
    update-rc.d osmo-ggsn disable
fi
install_others
