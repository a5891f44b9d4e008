# SPDX-License-Identifier: GPL-3.0-or-later
"""A Debian root with systemd in namespaces of its own, as a host that the TOF is
installed on: this kernel's, but a whole userland.  Within tests/net/private,
beside lab-enb, lab-sgw and lab-app, as the virtual machine is."""

import os
import secrets
import shutil
import signal
import subprocess

from host import Host
from tofnet import netns
from tofnet.wait import PATIENCE, wait_until

NETNS = "lab-tof"
# What a container manager provides: a control group, of which it sees nothing
# above; a root with its own mounts.  "container" says to systemd that there is
# one.
ENTER = r"""
set -e
mount -t cgroup2 cgroup2 "$1"
mkdir "$1/$2"
echo $$ >"$1/$2/cgroup.procs"
exec unshare --cgroup --mount --pid --uts --ipc --fork --kill-child \
    sh -c "$4" boot "$3"
"""
BOOT = r"""
set -e
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t bpf bpf sys/fs/bpf
mount -t cgroup2 cgroup2 sys/fs/cgroup
for d in dev run tmp; do mount -t tmpfs tmpfs $d; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for d in null zero full random urandom tty; do
    touch dev/$d
    mount --bind /dev/$d dev/$d
done
mkdir -p dev/net
touch dev/net/tun
mount --bind /dev/net/tun dev/net/tun
mkdir -p old
pivot_root . old
exec env -i container=tof PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    sh -c 'umount -l /old; exec /lib/systemd/systemd --log-target=null'
"""


class Container(Host):
    """As a context."""

    def __init__(self, tarball, work):
        super().__init__("/etc")
        self.root = os.path.join(work, "root")
        self.cgroup = os.path.join(work, "cgroup")
        os.mkdir(self.root)
        os.mkdir(self.cgroup)
        subprocess.run(["tar", "-xf", tarball, "-C", self.root], check=True)
        self.group = f"tof-packages-{secrets.token_hex(4)}"
        self._systemd = None

    def __enter__(self):
        for ns in (NETNS, "lab-enb", "lab-sgw", "lab-app"):
            netns.add(ns)
        for ns, dev, end in (("lab-enb", "s1u0", "enb0"),
                             ("lab-sgw", "s1u0", "sgw0"),
                             ("lab-app", "app0", "app0")):
            netns.veth(ns, dev, NETNS, end)
        netns.run_in("lab-app", "ip", "addr", "add", "192.168.100.10/24",
                     "dev", "app0")
        netns.run_in("lab-app", "ip", "route", "add", "default", "via",
                     "192.168.100.1")
        self._systemd = subprocess.Popen(
            netns.command_in(NETNS, "sh", "-c", ENTER, "enter", self.cgroup,
                             self.group,
                             self.root, BOOT), stdin=subprocess.DEVNULL)
        wait_until(self._is_up, 60, "systemd")
        return self

    def __exit__(self, *_):
        self._systemd.send_signal(signal.SIGKILL)
        self._systemd.wait()
        for ns in (NETNS, "lab-enb", "lab-sgw", "lab-app"):
            netns.delete(ns)
        self._remove_cgroup()
        shutil.rmtree(self.root)

    def _remove_cgroup(self):
        groups = os.path.join(self.cgroup, self.group)

        def removed():
            for path, _, _ in os.walk(groups, topdown=False):
                os.rmdir(path)
            return True

        wait_until(removed, 10, "its processes to be gone")
        subprocess.run(["umount", self.cgroup], check=True)

    def _is_up(self):
        return self.run("systemctl is-system-running || :").strip() in (
            "running", "degraded")

    def _init(self):
        """The process identifier, here, of the first process in there."""
        with open(f"/proc/{self._systemd.pid}/task/{self._systemd.pid}/"
                  "children", encoding="ascii") as f:
            return f.read().split()[0]

    def run(self, command, timeout=120, **kw):
        p = subprocess.run(
            ["nsenter", "--target", self._init(), "--all", "--root", "env",
             "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
             "bash", "-c", f"cd\n{command}"], text=True, timeout=timeout * PATIENCE,
            check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **kw)
        assert p.returncode == 0, (command, p.stdout, p.stderr)
        return p.stdout

    def make(self, tree, target):
        subprocess.run(["make", "-s", "-C", tree, target,
                        f"DESTDIR={self.root}"], check=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def put(self, files, directory):
        self.run(f"mkdir -p {directory}")
        for file in files:
            shutil.copy(file, self.root + directory)
