# SPDX-License-Identifier: GPL-3.0-or-later
"""Section "tls": between tofd and databases, and TOFs that follow it."""

import os
import pathlib
import socket
import ssl
import subprocess

import pytest

from tofnet import netns, packet, replication, statelet
from tofnet.lab import SERVICE_IP
from tofnet.netns import command_in
from tofnet.tls import Authority
from tofnet.wait import wait_until

pytestmark = pytest.mark.datapath("xdp")        # No matter which one.

TOP = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = TOP / "src/service/tof.ovsschema"
RECORD = statelet.LEN


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "good")


@pytest.fixture
def stranger(tmp_path):
    return Authority(tmp_path / "strange")


def configured(lab, text, registry="[]"):
    return lab.configured((r"(?m)^registry:.*\n",
                           f"{text}registry: {registry}\n"))


@pytest.mark.parametrize("key", ["cert", "key", "ca"])
def test_a_file_that_is_not_there_is_named(tmp_path, authority, key):
    """By "tofd -t", before anything is restarted."""
    cert, private = authority.make("tof")
    files = {"cert": cert, "key": private, "ca": authority.ca}
    conf = tmp_path / "tof.yaml"

    def checked():
        conf.write_text(
            "s1u: {enb: enb0, sgw: sgw0}\n"
            "apps: {interface: app0, address: 192.168.100.1/24}\n"
            "tls: {" + ", ".join(f"{k}: {v}" for k, v in files.items())
            + "}\n")
        return subprocess.run([TOP / "tofd", "-t", "-c", conf], text=True,
                              stderr=subprocess.PIPE, check=False)

    assert checked().returncode == 0
    files[key] = tmp_path / "nowhere"
    done = checked()
    assert done.returncode == 78
    assert f"tls.{key}: cannot read {files[key]}: No such file" in done.stderr


@pytest.fixture
def database(tmp_path, authority, lab):
    """A server of services that speaks TLS only; gives its address."""
    tools = pathlib.Path(os.environ["TOF_OVS_DIR"]) / "bin"
    db, cert_key = tmp_path / "tof.db", authority.make("server")
    subprocess.run([tools / "ovsdb-tool", "create", db, SCHEMA], check=True)
    server = subprocess.Popen(command_in(
        "lab-tof", tools / "ovsdb-server", db, "--remote=pssl:6641:127.0.0.1",
        f"--certificate={cert_key[0]}", f"--private-key={cert_key[1]}",
        f"--ca-cert={authority.ca}", "--no-chdir",
        f"--unixctl={tmp_path}/ctl"), stderr=subprocess.DEVNULL)
    yield "ssl:127.0.0.1:6641"
    server.kill()
    server.wait()


def test_services_are_kept_by_a_database_over_tls(lab, api, authority,
                                                  database):
    with configured(lab, authority.section("tof"), f"['{database}']"):
        api.register("by-tls")
        lab.tofd("restart")
        wait_until(lambda: api.part("registry")["ready"], 5, "the registry")
        wait_until(api.services, 5, "services")
        assert [s["name"] for s in api.services()] == ["by-tls"]


STANDBY = "standby: {listen: '127.0.0.1:7677'}\n"


def follow(authority, cert_key):
    """What tofd says first to a follower with that certificate."""
    context = ssl.create_default_context(cafile=authority.ca)
    context.check_hostname = False
    if cert_key:
        context.load_cert_chain(*cert_key)
    with netns.call_in("lab-tof", socket.create_connection,
                       ("127.0.0.1", 7677), 5) as plain, \
            context.wrap_socket(plain) as tls:
        tls.sendall(replication.alive().encode())
        said = b""
        while len(said) < RECORD:
            more = tls.recv(RECORD - len(said))
            if not more:
                break
            said += more
        return said


def follow_and_see(authority, cert_key):
    """The certificate that tofd shows to a follower."""
    context = ssl.create_default_context(cafile=authority.ca)
    context.check_hostname = False
    context.load_cert_chain(*cert_key)
    with netns.call_in("lab-tof", socket.create_connection,
                       ("127.0.0.1", 7677), 5) as plain, \
            context.wrap_socket(plain) as tls:
        return tls.getpeercert(binary_form=True)


def test_a_follower_with_a_certificate_is_told(lab, net, authority):
    with configured(lab, authority.section("tof") + STANDBY):
        bearer = net.bearer("10.45.1.1")
        bearer.uplink(packet.ip_udp(bearer.ue, SERVICE_IP, b"x"))
        lab.api.wait_proved("10.45.1.1")
        said = follow(authority, authority.make("follower"))
        assert said[:5] == b"TOFS\x01" and len(said) == RECORD


def test_a_renewed_certificate_is_taken_up(lab, authority):
    """By the tofd that runs, when it is told to reload."""
    with configured(lab, authority.section("tof") + STANDBY):
        follower = authority.make("follower")
        first = follow_and_see(authority, follower)
        pid = lab.pid()
        authority.make("tof")
        assert follow_and_see(authority, follower) == first
        lab.reload()
        assert follow_and_see(authority, follower) != first
        assert lab.pid() == pid


@pytest.mark.parametrize("whose", ["nobody's", "a stranger's"])
def test_a_follower_without_one_of_ours_is_not(lab, authority, stranger,
                                               whose):
    cert_key = stranger.make("follower") if whose == "a stranger's" else None
    with configured(lab, authority.section("tof") + STANDBY):
        try:
            said = follow(authority, cert_key)
        except (ssl.SSLError, ConnectionError):
            said = b""
        assert not said


def test_one_with_a_strange_certificate_is_not_followed(lab, api, authority,
                                                        stranger):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*stranger.make("leader"))
    with netns.call_in("lab-tof", socket.create_server,
                       ("127.0.0.1", 7678)) as server, \
            configured(lab, authority.section("tof")
                       + "standby: {follow: '127.0.0.1:7678'}\n"):
        server.settimeout(10)
        plain, _ = server.accept()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            with context.wrap_socket(plain, server_side=True) as stream:
                stream.recv(1)
                raise ConnectionError("it has ended the stream")
        assert not api.part("standby")["ready"]
