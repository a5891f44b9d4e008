# SPDX-License-Identifier: GPL-3.0-or-later
"""tofd has no more file descriptors to give away: the service goes on, and so
does the API."""

import contextlib
import resource
import socket

import pytest

from tofnet import netns
from tofnet.service import answered
from tofnet.wait import wait_until

RESERVE = 64
GIVEN_UP = 'tof_api_clients_given_up_total{reason="descriptors"}'


@contextlib.contextmanager
def limited(pid, n):
    """tofd may have 'n' descriptors."""
    saved = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (n, saved[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, saved)


def hold():
    """A connection to the API that asks for nothing."""
    sock = socket.create_connection(("127.0.0.1", 8080), 10)
    sock.sendall(b"GET /healthz HTTP/1.1\r\n")
    return sock


@pytest.fixture
def short_of_descriptors(lab, api):
    """All but a few beyond the reserve are there, and others take those."""
    # Those of earlier tests would make room when they are closed.
    wait_until(lambda: api.metrics()["tof_api_clients"] <= 1, 20,
               "others to be gone")
    n = int(api.metrics()["tof_descriptors"])
    with limited(lab.pid(), n + RESERVE + 20), contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(netns.call_in("lab-tof", hold))
        wait_until(lambda: api.metrics()[GIVEN_UP] > 30,
                   what="connections to be given up")
        yield
        assert api.metrics()["tof_descriptors"] > n + 10


@pytest.mark.usefixtures("short_of_descriptors")
def test_service_goes_on_without_descriptors_for_others(lab, net, api):
    """A service that is registered then is in force, and a UE that comes then
    is answered; files are read anew."""
    api.register()
    answered(net.bearer("10.45.30.1"))
    lab.reload()
    answered(net.bearer("10.45.30.2"))
    api.unregister()


def test_tofd_takes_all_the_descriptors_that_it_may(lab, api):
    """But not more than are of use."""
    soft, hard = resource.prlimit(lab.pid(), resource.RLIMIT_NOFILE)
    assert soft >= min(hard, 65536)
    assert api.metrics()["tof_descriptors_max"] == soft
