# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian packages on a host: installed by the commands of the README, upgraded
under traffic, removed.  In the virtual machine, or with TOF_PACKAGES_ROOT in a
Debian root in namespaces (tests/packages)."""

import glob
import os
import re
import subprocess

import pytest

from container import Container
from host import TOP, Host, first_packet, running_app
from tofnet import packet as p
from tofnet.background import Background
from tofnet.netns import RawPort
from tofnet.service import OTHER, echo, establish
from tofnet.wait import wait_until

DEBS = "/root/debs"
ALL = "tof tof-ovs tof-lab"
# A main with other tables of the eBPF programs, and today's Open vSwitch.
OLDER = "453755ee41a560ff181258e4cc4c70497786e927"
both = pytest.mark.parametrize("datapath", ["xdp", "ovs"])


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    root = os.environ.get("TOF_PACKAGES_ROOT")
    if root:
        with Container(root, tmp_path_factory.mktemp("container")) as c:
            yield c
        return
    virtual = Host("/etc")
    virtual.uninstall()
    try:
        yield virtual
    finally:
        purge(virtual)
        Host().install()


@pytest.fixture(scope="module")
def app(machine):
    # pylint: disable=unused-argument
    with running_app():
        yield


@pytest.fixture(scope="module")
def debs(tmp_path_factory):
    """The packages, and the same of a later version."""
    work = tmp_path_factory.mktemp("debs")
    made = os.environ.get("TOF_PACKAGES")
    if not made:
        made = str(work)
        subprocess.run([f"{TOP}/tests/packages", "--build", made], check=True)
    newer = work / "newer"
    newer.mkdir()
    for deb in glob.glob(f"{made}/tof*.deb"):
        tree = work / "tree"
        subprocess.run(["dpkg-deb", "-R", deb, tree], check=True)
        control = tree / "DEBIAN/control"
        text = control.read_text()
        version = re.search("^Version: (.*)", text, re.M)[1]
        control.write_text(text.replace(version, version + "+newer"))
        subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b",
                        tree, newer / os.path.basename(deb)], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run(["rm", "-r", tree], check=True)
    return sorted(glob.glob(f"{made}/tof*.deb")), sorted(newer.iterdir())


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    """A tree of an older main, built as its README says."""
    tree = tmp_path_factory.mktemp("older")
    archive = subprocess.run(["git", "-C", TOP, "archive", OLDER],
                             stdout=subprocess.PIPE, check=False)
    if archive.returncode:
        pytest.skip(f"this clone does not have {OLDER}")
    subprocess.run(["tar", "-xf", "-", "-C", tree], input=archive.stdout,
                   check=True)
    subprocess.run("./autogen.sh && ./configure --sysconfdir=/etc && "
                   "make -s -j$(nproc)", shell=True, cwd=tree, check=True,
                   stdin=subprocess.DEVNULL)
    return tree


@pytest.fixture
def host(machine, debs):
    """Without the TOF, and with its packages at hand."""
    purge(machine)
    machine.run(f"rm -rf {DEBS}")
    machine.put(debs[0], DEBS)
    yield machine


def apt(host, what, *names):
    host.run(f"cd {DEBS} && DEBIAN_FRONTEND=noninteractive apt-get -q -y "
             f"-o Dpkg::Options::=--force-confold {what} {' '.join(names)}")


def purge(host):
    host.run("dpkg --purge tof-lab tof-ovs tof && "
             "{ ip link del br-s1u || :; }")


def installed(host, datapath="auto", names="./tof*.deb"):
    """And started, with a service."""
    apt(host, "install", names)
    edit(host, f"s/^datapath: .*/datapath: {datapath}/")
    edit(host, "s/^  targets: .*/  targets: [203.0.113.10]/")
    host.run("systemctl start tof")
    host.wait_up()
    host.register()


def edit(host, how):
    host.run(f"sed -i '{how}' /etc/tof/tof.yaml")


def pid(host):
    return host.run("systemctl show --value -p MainPID tofd").strip()


def fails(host, command):
    """What 'command' says, which has to fail."""
    return host.run(f"! {{ {command}; }} 2>&1")


def passes(net, ue):
    """Both ways, and what is for the service, too."""
    b = net.bearer(ue)
    for up in (p.ip_udp(b.ue, OTHER, b"up"), echo(b.ue, b"service")):
        net.sgw.wait(b.uplink(up), timeout=5, what="a packet at the SGW")
    net.enb.wait(b.downlink(p.ip_udp(OTHER, b.ue, b"down")), timeout=5,
                 what="a packet at the eNodeB")


class Stream(Background):
    """Numbered packets of a UE to a service, one every few milliseconds."""

    def __init__(self, bearer):
        self.bearer = bearer
        self.sent = 0
        super().__init__()

    def text(self, n):
        return b"%s-%06d" % (self.bearer.ue.encode(), n)

    def _run(self):
        while not self._end.wait(0.005):
            self.bearer.uplink(echo(self.bearer.ue, self.text(self.sent)))
            self.sent += 1

    def lost(self, *ports):
        """Those that have arrived at none of 'ports'."""
        found = re.compile(re.escape(self.bearer.ue.encode()) + rb"-\d{6}")
        return {self.text(n) for n in range(self.sent)} - {
            text for port in ports for frame in port.frames
            for text in found.findall(frame)}


def commands_of_the_readme():
    with open(f"{TOP}/README.md", encoding="utf-8") as f:
        text = f.read()
    block = text.split("With the packages, as root:\n\n", 1)[1]
    return [line.split("#")[0].strip()
            for line in block.split("\n\n", 1)[0].splitlines()]


@both
def test_the_readmes_commands(host, net, datapath):
    """Nothing is started before it is configured; then the first packet of a
    UE that nobody has seen is diverted."""
    install, editor, start = commands_of_the_readme()
    assert install.startswith("apt install") and editor.startswith("editor")
    host.run(f"cd {DEBS} && {install} -y -q </dev/null")
    assert host.run("pgrep 'tofd|ovs' || :") == ""
    edits = ("s/^  targets: .*/  targets: [203.0.113.10]/;"
             f"s/^datapath: .*/datapath: {datapath}/")
    host.run(f"editor() {{ sed -i '{edits}' \"$@\"; }}; {editor}")
    host.run(start)
    host.wait_up()
    host.register()
    first_packet(net, "10.45.0.2")
    assert host.status()["facts"]["datapath"].startswith(datapath)
    assert host.run("systemctl is-enabled tof").strip() == "enabled"


def test_without_open_vswitch(host, net):
    """The eBPF programs need none of it; it may come later."""
    installed(host, names="./tof_*.deb")
    first_packet(net, "10.45.0.3")
    assert host.status()["facts"]["datapath"].startswith("xdp")
    assert host.run("pgrep -l ovs").split()[1] == "ovsdb-server"
    apt(host, "install", "./tof-ovs_*.deb")
    host.run("tof-ovs status && pgrep ovs-vswitchd")
    wait_until(host.healthy, 30, "tofd to be healthy")
    first_packet(net, "10.45.0.4")


def test_a_wrong_configuration_ends_once(host):
    apt(host, "install", "./tof*.deb")
    edit(host, "$a nonsense: 1")
    fails(host, "systemctl start tof")
    for unit in ("tofd", "tof-ovs"):
        shown = host.run(f"systemctl show -p NRestarts -p ExecMainStatus "
                         f"-p ActiveState {unit}")
        assert set(shown.split()) == {"NRestarts=0", "ExecMainStatus=78",
                                      "ActiveState=failed"}
    assert "nonsense" in host.run("systemctl status tofd || :")
    edit(host, "$d")
    host.run("systemctl start tof")


def test_a_reload_with_a_wrong_configuration(host, net):
    """The old one stays in force; a right one is taken up by the same
    process."""
    installed(host)
    before = pid(host)
    edit(host, "$a nonsense: 1")
    for unit in ("tofd", "tof"):
        fails(host, f"systemctl reload {unit}")
    assert pid(host) == before and host.healthy()
    assert "nonsense" in host.run("journalctl -q -u tofd -n 20")
    edit(host, "$d")
    edit(host, "s/^privacy:.*/privacy: hash/")
    host.run("systemctl reload tof")
    assert pid(host) == before
    assert "starting anew" in host.run("journalctl -q -u tofd -n 50")
    host.wait_up()
    edit(host, "s/^privacy:.*/privacy: none/")
    first_packet(net, "10.45.0.5")


@both
def test_upgraded_under_traffic(host, net, debs, datapath):
    """No packet is lost on its way from a UE, and what runs then is new."""
    installed(host, datapath)
    host.run(f"rm -r {DEBS}")
    host.put(debs[1], DEBS)
    before = pid(host)
    b = establish(net, "10.45.0.6")
    with RawPort("lab-app", "app0") as at_app:
        with Stream(b) as stream:
            wait_until(lambda: stream.sent > 100, what="traffic")
            apt(host, "install", "./tof*.deb")
            host.wait_up()
            n = stream.sent
            wait_until(lambda: stream.sent > n + 100, what="traffic")
        wait_until(lambda: not stream.lost(net.sgw, at_app), 10,
                   "every packet at the SGW or the App")
    assert pid(host) != before
    host.run("tof-ovs status")
    first_packet(net, "10.45.0.7")


@both
def test_upgraded_from_make_install(host, net, older, datapath):
    """By the commands of doc/OPERATE.md.  No packet is lost on its way from a
    UE; services and sessions are those of before."""
    host.make(older, "install")
    try:
        host.configure(datapath)
        host.run("systemctl daemon-reload && systemctl enable --now tof")
        host.wait_up()
        host.register()
        b = establish(net, "10.45.0.10")
        before = pid(host), host.session(b.ue)
        with RawPort("lab-app", "app0") as at_app:
            with Stream(b) as stream:
                wait_until(lambda: stream.sent > 100, what="traffic")
                host.make(older, "uninstall")
                apt(host, "install", "./tof*.deb")
                host.wait_up()
                n = stream.sent
                wait_until(lambda: stream.sent > n + 100, what="traffic")
            wait_until(lambda: not stream.lost(net.sgw, at_app), 10,
                       "every packet at the SGW or the App")
        assert pid(host) != before[0] and host.session(b.ue) == before[1]
        assert host.run(f"readlink /proc/{pid(host)}/exe").strip() == (
            "/usr/sbin/tofd")
        assert host.run("curl -sf http://127.0.0.1:8080/service/svc")
        host.run("tof-ovs status")
        first_packet(net, "10.45.0.11")
    except BaseException:
        host.run("systemctl stop tof tofd tof-ovs tof-net || :")
        host.make(older, "uninstall")
        raise


@both
def test_removed_and_purged(host, net, datapath):
    """S1-U passes, and the wire is all that is left."""
    installed(host, datapath)
    first_packet(net, "10.45.0.8")
    apt(host, "remove", ALL)
    passes(net, "10.45.0.8")
    assert host.run("pgrep 'tofd|ovs' || :") == ""
    assert host.run("ip netns list; ls /sys/fs/bpf/tof 2>/dev/null || :; "
                    "nft list tables") == ""
    links = host.run("ls /sys/class/net").split()
    assert set(links) - {"mgmt0"} == {"lo", "br-s1u", "enb0", "sgw0", "app0"}
    host.run("test -e /etc/tof/tof.yaml && test -e /var/lib/tof/tof.db")
    apt(host, "purge", ALL)
    assert host.run("ls -d /etc/tof /etc/*/tof /var/lib/tof /run/tof* "
                    "/var/log/tof* /usr/*/tof* 2>/dev/null || :") == ""
    passes(net, "10.45.0.9")
