#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# vm.sh - a Debian 12 machine with Debian's own kernel, in software emulation.
#
# The TOF has to work on the kernel that its users have, and a kernel is more
# than its version: what is a module there, what needs loading, what an older
# verifier refuses.  So everything that test.sh runs can run in here, too.
#
#   vm.sh up [--kernel 6.1|backports] [--arch amd64]
#                                       makes the machine, unless it is cached,
#                                       and boots it with this built checkout
#   vm.sh run COMMAND...                runs a command in it, in the checkout
#   vm.sh test [STAGE|NAME...]          runs scripts/test.sh in it (see there);
#                                       by default all but "dist", which says
#                                       nothing about a kernel
#   vm.sh boot                          tests/vm: it boots with the units enabled
#   vm.sh reboot                        as a user would, and waits for it
#   vm.sh down | status
#
# The machine has Debian's packages and what bootstrap.sh installs.  Its disks
# are thrown away by "down".  Its only network is a link to this script; three
# more adapters, enb0, sgw0 and app0, lead into the network namespaces lab-enb,
# lab-sgw and lab-app, which exist beside it and not on the host's network:
#
#   vm.sh net COMMAND...                runs a command where these are
#
# TOF_VM_CACHE (/var/cache/tof-vm): where images are kept.  TOF_VM (tof-vm):
# name of the machine, for several at once.  TOF_VM_ACCEL (tcg,thread=multi),
# TOF_VM_CPUS (2), TOF_VM_MEMORY (4096, MiB): as qemu takes them.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
top=$(dirname "$here")
cache=${TOF_VM_CACHE:-/var/cache/tof-vm}
state=/run/${TOF_VM:-tof-vm}
node_package=$top/tests/page/package.json
readonly top here cache state node_package
readonly host_packages=(qemu-system-x86 qemu-utils mmdebstrap e2fsprogs
                        openssh-client)
readonly guest_packages=systemd-sysv,udev,kmod,initramfs-tools,iproute2
readonly boot_patience=300      # Seconds.

say() { echo "vm: $*" >&2; }
die() { say "$@"; exit 1; }

usage() {
    sed -n '/^# *vm\.sh up/,/^$/{s/^# \{0,1\}//;/^$/q;p}' "${BASH_SOURCE[0]}"
}

wait_for() {                    # SECONDS WHAT COMMAND...
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { say "waited in vain for $what"; return 1; }
        sleep 0.2
    done
}

# --- Images -------------------------------------------------------------------

need_packages() {
    local p missing=()
    for p in "${host_packages[@]}"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = \
          installed ] || missing+=("$p")
    done
    [ ${#missing[@]} -eq 0 ] && return
    say "installing ${missing[*]}"
    apt-get -q update >&2
    DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
        install "${missing[@]}" >&2
}

# What this host's apt is told, for the machine's.
sources() {
    local f
    for f in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
        [ ! -s "$f" ] || { echo "$f"; return; }
    done
    die "this host has no sources of Debian packages"
}

# customize ROOT: what mmdebstrap has unpacked becomes our machine.
customize() {
    local root=$1 n
    install -D -m 755 "$here/bootstrap.sh" "$root/tmp/tof/scripts/bootstrap.sh"
    install -D -m 644 "$node_package" "$root/tmp/tof/tests/page/package.json"
    # What is in no package the machine has from here.
    "$here/bootstrap.sh" --test
    cp -a "${TOF_NODE_CACHE:-/var/cache/tof-node}" "$root/var/cache/tof-node"
    cp -a "${TOF_PROMETHEUS_CACHE:-/var/cache/tof-prometheus}" \
        "$root/var/cache/tof-prometheus"
    if [ "$kernel" = backports ]; then
        sed 's/^Suites:.*/Suites: bookworm-backports/' "$(sources)" \
            >"$root/etc/apt/sources.list.d/backports.sources"
        chroot "$root" apt-get -q update
        chroot "$root" apt-get -q -y --no-install-recommends install \
            -t bookworm-backports linux-image-cloud-amd64
        # One kernel only, else it would be a guess which one boots.
        chroot "$root" sh -c 'apt-get -q -y purge "linux-image-6.1*"'
    fi
    chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
        --no-install-recommends install openssh-server kmod
    chroot "$root" /tmp/tof/scripts/bootstrap.sh --test
    echo tof-vm >"$root/etc/hostname"
    echo '127.0.0.1 localhost tof-vm' >"$root/etc/hosts"
    install -D -m 600 "$cache/key.pub" "$root/root/.ssh/authorized_keys"
    # Adapters by the number that qemu puts into their addresses.
    n=0
    for name in mgmt0 enb0 sgw0 app0; do
        printf '[Match]\nMACAddress=52:54:00:00:00:0%d\n[Link]\nName=%s\n' \
            "$n" "$name" >"$root/etc/systemd/network/10-$name.link"
        n=$((n + 1))
    done
    printf '[Match]\nName=mgmt0\n[Network]\nAddress=10.0.2.15/24\n' \
        >"$root/etc/systemd/network/10-mgmt0.network"
    chroot "$root" systemctl -q enable systemd-networkd ssh
    chroot "$root" systemctl -q disable apt-daily.timer \
        apt-daily-upgrade.timer man-db.timer e2scrub_all.timer fstrim.timer \
        2>/dev/null || :
    : >"$root/etc/machine-id"
}

# The name says all that the image depends on.
base_name() {
    echo "$kernel-$( (echo "$guest_packages"
        cat "$here/bootstrap.sh" "$node_package"; declare -f customize) |
        sha256sum | cut -c1-12)"
}

make_base() {
    local name=$1 work=$cache/$1.new
    [ -e "$cache/key" ] || ssh-keygen -q -t ed25519 -N '' -f "$cache/key"
    apt-config dump Acquire >"$cache/apt.conf"
    rm -rf "$work"
    say "making a Debian 12 machine (log: $cache/$name.log)"
    export cache here kernel
    # shellcheck disable=SC2016
    mmdebstrap --mode=root --variant=minbase --aptopt="$cache/apt.conf" \
        --include="$guest_packages,linux-image-cloud-amd64" \
        --customize-hook="$here/vm.sh customize \"\$1\"" \
        bookworm "$work" "$(sources)" >"$cache/$name.log" 2>&1 </dev/null ||
        { tail -n 25 "$cache/$name.log" >&2; die "no machine"; }
    cp "$work"/boot/vmlinuz-* "$cache/$name.vmlinuz"
    cp "$work"/boot/initrd.img-* "$cache/$name.initrd"
    make_image "$work" "$cache/$name.img.new" 3072
    rm -rf "$work"
    mv "$cache/$name.img.new" "$cache/$name.img"
}

# make_image DIRECTORY FILE MIB: an ext4 file system with that in it, and so
# much room.
make_image() {
    local used
    used=$(du -sm "$1" | cut -f1)
    rm -f "$2"
    mkfs.ext4 -q -O ^has_journal -d "$1" "$2" \
        "$((used + used / 4 + $3))M" >/dev/null
}

base_image() {                  # Prints its path without ".img".
    local name
    name=$(base_name)
    mkdir -p "$cache"
    exec 7>"$cache/lock"
    flock 7
    [ -e "$cache/$name.img" ] || make_base "$name" 7>&-
    exec 7>&-
    echo "$cache/$name"
}

# The patched Open vSwitch changes seldom; its image is kept.
ovs_image() {
    local tree=$1 image
    image=$cache/ovs-$(basename "$tree").img
    [ -e "$image" ] || { make_image "$tree" "$image.new" 200
                         mv "$image.new" "$image"; }
    echo "$image"
}

# --- The machine --------------------------------------------------------------

running() {
    [ -r "$state/pid" ] && kill -0 "$(<"$state/pid")" 2>/dev/null &&
        [ "$(stat -c %i "/proc/$(<"$state/pid")/ns/net")" = \
          "$(cat "$state/netns" 2>/dev/null)" ]
}

in_net() { nsenter --net="/proc/$(<"$state/pid")/ns/net" "$@"; }

guest() {                       # COMMAND as one text
    in_net ssh -q -F none -i "$cache/key" -p 2222 -o BatchMode=yes \
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o ServerAliveInterval=30 -o ControlMaster=auto \
        -o ControlPath="$state/ssh" -o ControlPersist=yes \
        root@127.0.0.1 "$@"
}

# What goes between the machine's adapters and the namespaces beside it: a tap
# of qemu's and a veth, in a bridge that is a mere wire.
make_wires() {
    local dev peer port
    ip link set lo up
    sysctl -qw net.ipv6.conf.default.disable_ipv6=1
    for dev in enb0:lab-enb:s1u0 sgw0:lab-sgw:s1u0 app0:lab-app:app0; do
        IFS=: read -r dev peer port <<<"$dev"
        ip netns add "$peer"
        ip tuntap add "vm-$dev" mode tap
        ip link add "w-$dev" type bridge mcast_snooping 0 group_fwd_mask 65528
        ip link add "p-$dev" type veth peer name "$port" netns "$peer"
        nsenter --net="/run/netns/$peer" ethtool -K "$port" tx off txvlan off \
            >/dev/null
        ethtool -K "p-$dev" tx off txvlan off >/dev/null
        for port in "vm-$dev" "p-$dev"; do
            ip link set "$port" master "w-$dev" up
            bridge link set dev "$port" learning off
        done
        ip link set "w-$dev" up
        for port in lo s1u0 app0; do
            nsenter --net="/run/netns/$peer" ip link set "$port" up \
                2>/dev/null || :
        done
    done
    for key in ip ip6 arp; do
        echo 0 2>/dev/null >"/proc/sys/net/bridge/bridge-nf-call-${key}tables" ||
            :
    done
    nsenter --net=/run/netns/lab-app sh -c '
        ip addr add 192.168.100.10/24 dev app0
        ip route add default via 192.168.100.1'
}

# Runs as the first process of the namespaces that the machine lives in.
machine() {
    local base=$1 tree=$2 ovs=$3 n=0 dev args=()
    mount -t tmpfs tmpfs /run/netns
    make_wires
    for dev in enb0 sgw0 app0; do
        n=$((n + 1))
        args+=(-netdev "tap,id=$dev,ifname=vm-$dev,script=no,downscript=no"
               -device "virtio-net-pci,netdev=$dev,romfile=,mac=52:54:00:00:00:0$n$virtio")
    done
    exec qemu-system-x86_64 -M q35 -accel "${TOF_VM_ACCEL:-tcg,thread=multi}" \
        -cpu "${TOF_VM_CPU:-max}" -smp "${TOF_VM_CPUS:-2}" \
        -m "${TOF_VM_MEMORY:-4096}" -nographic -monitor none \
        -serial "file:$state/console" \
        -kernel "$base.vmlinuz" -initrd "$base.initrd" \
        -append "root=/dev/vda rw console=ttyS0 panic=-1 mitigations=off" \
        -drive "file=$base.img,if=virtio,format=raw,snapshot=on" \
        -drive "file=$tree,if=virtio,format=raw,snapshot=on" \
        -drive "file=$ovs,if=virtio,format=raw,snapshot=on" \
        -netdev user,id=mgmt,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22 \
        -device virtio-net-pci,netdev=mgmt,romfile=,mac=52:54:00:00:00:00 \
        -device virtio-rng-pci "${args[@]}"
}

# All that test.sh builds: it is taken into the machine as it is.
build() {
    local log=$cache/build.log
    say "building (log: $log)"
    "$here/test.sh" programs >"$log" 2>&1 ||
        { tail -n 40 "$log" >&2; die "the build failed"; }
}

# The checkout and Open vSwitch, at the same paths as here.
mounted() {
    guest "set -e
        mkdir -p '$top' '$1' /etc/systemd/system
        echo '/dev/vdb $top ext4 defaults 0 0
/dev/vdc $(readlink -f "$1") ext4 defaults 0 0' >>/etc/fstab
        mkdir -p '$(readlink -f "$1")'
        rmdir '$1'; ln -sfn '$(readlink -f "$1")' '$1'
        systemctl daemon-reload
        mount -a"
}

up() {
    local base ovs_dir tree
    while [ $# -gt 0 ]; do
        case $1 in
            --kernel) kernel=${2:-}; shift 2 ;;
            --arch) [ "${2:-}" = amd64 ] || die "no architecture '${2:-}'"
                    shift 2 ;;
            *) usage; exit 2 ;;
        esac
    done
    case $kernel in 6.1 | backports) ;; *) die "no kernel '$kernel'" ;; esac
    ! running || die "it is up already"
    mkdir -p "$cache"
    build
    need_packages
    ovs_dir=${TOF_OVS_DIR:-$("$top/ovs-gtp-patch/build.sh" --print)}
    [ -d "$ovs_dir" ] || die "no Open vSwitch in $ovs_dir"
    base=$(base_image)
    rm -rf "$state"
    mkdir -p "$state"
    tree=$cache/$(basename "$state").tree.img
    make_image "$top" "$tree" 1024
    say "booting"
    mkdir -p /run/netns
    unshare --net --mount setsid "$here/vm.sh" machine "$base" "$tree" \
        "$(ovs_image "$(readlink -f "$ovs_dir")")" \
        >"$state/qemu.log" 2>&1 </dev/null &
    echo $! >"$state/pid"
    wait_for 20 "qemu" eval '[ "$(readlink /proc/$(<'"$state"'/pid)/exe)" = \
        "$(readlink -f "$(command -v qemu-system-x86_64)")" ]' ||
        { cat "$state/qemu.log" >&2; exit 1; }
    stat -c %i "/proc/$(<"$state/pid")/ns/net" >"$state/netns"
    wait_for "$boot_patience" "the machine to boot" guest true ||
        { tail -n 20 "$state/console" "$state/qemu.log" >&2; exit 1; }
    mounted "$ovs_dir"
    say "up: $(guest uname -r)"
}

down() {
    if running; then
        guest -O exit 2>/dev/null || :
        kill "$(<"$state/pid")"
        wait_for 10 "qemu to end" eval '! running'
    fi
    rm -rf "$state" "$cache/$(basename "$state").tree.img"
}

reboot() {
    local before
    before=$(guest cat /proc/sys/kernel/random/boot_id)
    guest -f 'systemctl reboot' || :
    guest -O exit 2>/dev/null || :
    rebooted() {
        local now
        now=$(guest -o ConnectTimeout=5 cat /proc/sys/kernel/random/boot_id) &&
            [ "$now" != "$before" ]
    }
    wait_for "$boot_patience" "the machine to boot again" rebooted
}

# How much slower than this host the machine is at what tests do, rounded up:
# starting processes and interpreting Python.
slowness() {
    local work here_ns there_ns
    # shellcheck disable=SC2016
    work='a=$(date +%s%N); for i in 1 2 3 4 5; do
        python3 -c "sum(i * i for i in range(200000))"; done
        b=$(date +%s%N); echo $((b - a))'
    here_ns=$(sh -c "$work")
    there_ns=$(guest "$work")
    echo $(((there_ns + here_ns - 1) / here_ns + 1))
}

run_test() {
    local n
    running || die "it is not up"
    [ $# -gt 0 ] || set -- unit ovs tap net fuzz
    n=$(slowness)
    say "it is $n times slower than this host: so much longer do tests wait"
    guest "cd '$top' && CI=${CI:-} TOF_TEST_PATIENCE=$n \
        ./scripts/test.sh ${*@Q}"
}

# Beside the machine, where the other ends of its adapters are.
run_boot() {
    local n
    running || die "it is not up"
    n=$(slowness)
    in_wires env TOF_TEST_PATIENCE="$n" PYTHONDONTWRITEBYTECODE=1 \
        /usr/bin/python3 -m pytest -p no:cacheprovider -v "$top/tests/vm" "$@"
}

in_wires() { nsenter --net --mount --target "$(<"$state/pid")" "$@"; }

readonly virtio=${TOF_VM_VIRTIO:-}
kernel=${kernel:-6.1}

# In a function: bash reads a script as it goes, and "up" may run for long.
main() {
    [ "$(id -u)" = 0 ] || die "run as root"
    case ${1:-} in
        up) shift; up "$@" ;;
        run) shift; running || die "it is not up"
             guest "cd '$top' && $*" ;;
        test) shift; run_test "$@" ;;
        boot) shift; run_boot "$@" ;;
        net) shift; running || die "it is not up"; in_wires "$@" ;;
        reboot) reboot ;;
        down) down ;;
        status) running && echo "up: $(guest uname -r)" || { echo down; exit 1; } ;;
        customize | machine) "$@" ;;        # Parts of "up".
        *) usage >&2; exit 2 ;;
    esac
}

main "$@"
exit
