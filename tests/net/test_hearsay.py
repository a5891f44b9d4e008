# SPDX-License-Identifier: GPL-3.0-or-later
"""What TOFs tell each other, record by record: times and first-hand
knowledge.  Here the other one is the test."""

import contextlib
import time

import pytest

from tofnet import stream
from tofnet.emulator import ENB, SGW, SGW6
from tofnet.service import answered, establish
from tofnet.stream import Follower, Leader, Statelet
from tofnet.wait import wait_until

ADDRESS = ("127.0.0.1", 7677)
LISTENS = (r"(?m)^registry:", "standby: {listen: '127.0.0.1:7677'}\nregistry:")
FOLLOWS = (r"(?m)^registry:", "standby: {follow: '127.0.0.1:7677'}\nregistry:")


def is_of(ue):
    return lambda s: s.op == stream.BEARER and s.ue == ue


@pytest.fixture
def leader(lab, api):
    """tofd, which others may follow."""
    with lab.configured(LISTENS):
        yield lab


def test_nothing_is_said_to_who_is_silent(leader):
    with Follower(ADDRESS) as f:
        with pytest.raises(TimeoutError):
            f.hear(lambda _: True, 2)
        f.say(Statelet(stream.ALIVE, 1))
        f.hear(lambda _: True)


def test_records_have_the_time_of_the_follower(leader, net, api):
    api.register()
    b = establish(net)
    with Follower(ADDRESS) as f:
        start = time.monotonic()
        f.say(Statelet(stream.ALIVE, 5_000_000))
        said = f.hear(is_of(b.ue))
        took = (time.monotonic() - start) * 1000
    assert 5_000_000 <= said.time_ms <= 5_000_001 + took


def test_what_is_adopted_is_told_when_it_is_heard(leader, net, api):
    api.register()
    b = establish(net)
    leader.tofd("restart")
    wait_until(api.healthy, 15, "tofd")
    assert api.session_of(b.ue)
    with Follower(ADDRESS) as f:
        f.say(Statelet(stream.ALIVE, 1))
        with pytest.raises(TimeoutError):
            f.hear(is_of(b.ue), 1)

        def told():
            f.say(Statelet(stream.ALIVE, 1))
            answered(b)
            with contextlib.suppress(TimeoutError):
                return f.hear(is_of(b.ue), 1)
        assert wait_until(told, 10, "that it is heard")


def test_a_record_is_older_by_its_time_under_way(lab, api):
    ue = "10.45.77.1"

    with Leader(ADDRESS) as server, lab.configured(FOLLOWS), \
            server.accept() as tofd:
        now = tofd.hear(lambda s: s.op == stream.ALIVE).time_ms
        tofd.say(Statelet(
            stream.BEARER, now - 60_000, stream.PROVED, 0x7701, 0x7702,
            (ue, ENB, SGW, ENB, SGW), (1000, 1000, 1000)))
        session = wait_until(lambda: api.session_of(ue), 5, ue)
        assert session["evidenceAge"] >= 61


def test_what_no_tunnel_can_be_is_not_taken(lab, api):
    good, bad = "10.45.77.2", ("10.45.77.3", "10.45.77.4")

    def record(ue, teid, down_sgw=SGW, **kw):
        return Statelet(stream.BEARER, now, stream.PROVED, teid, teid,
                        (ue, ENB, SGW, ENB, down_sgw), **kw)

    with Leader(ADDRESS) as server, lab.configured(FOLLOWS), \
            server.accept() as tofd:
        now = tofd.hear(lambda s: s.op == stream.ALIVE).time_ms
        tofd.say(record(bad[0], 0x7703, SGW6), record(bad[1], 0x7704, qfi=128),
                 record(good, 0x7702))
        wait_until(lambda: api.session_of(good), 5, good)
        assert not any(map(api.session_of, bad))
