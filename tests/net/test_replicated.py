# SPDX-License-Identifier: GPL-3.0-or-later
"""What TOFs tell each other, record by record: times and first-hand
knowledge.  Here the other one is the test."""

import contextlib
import time

import pytest

from tofnet.emulator import SGW6
from tofnet.replication import (
    ALIVE, BEARER, PROVED, Follower, Leader, Statelet, alive)
from tofnet.service import answered, establish
from tofnet.wait import wait_until

ADDRESS = ("127.0.0.1", 7677)
LISTENS = (r"(?m)^registry:", "standby: {listen: '127.0.0.1:7677'}\nregistry:")
FOLLOWS = (r"(?m)^registry:", "standby: {follow: '127.0.0.1:7677'}\nregistry:")


def is_of(ue):
    return lambda s: s.op == BEARER and s.ue == ue


@pytest.fixture
def leader(lab, api):
    """tofd, which others may follow."""
    with lab.configured(LISTENS):
        yield lab


def test_nothing_is_said_to_who_is_silent(leader):
    with Follower(ADDRESS) as f:
        with pytest.raises(TimeoutError):
            f.hear(timeout=2)
        f.say(alive())
        f.hear()


def test_records_have_the_time_of_the_follower(leader, net, api):
    api.register()
    b = establish(net)
    with Follower(ADDRESS) as f:
        start = time.monotonic()
        f.say(alive(5_000_000))
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
        f.say(alive())
        with pytest.raises(TimeoutError):
            f.hear(is_of(b.ue), 1)

        def told():
            f.say(alive())
            answered(b)
            with contextlib.suppress(TimeoutError):
                return f.hear(is_of(b.ue), 1)
        assert wait_until(told, 10, "that it is heard")


def test_a_record_is_older_by_its_time_under_way(lab, api):
    ue = "10.45.77.1"

    with Leader(ADDRESS) as server, lab.configured(FOLLOWS), \
            server.accept() as tofd:
        now = tofd.hear(lambda s: s.op == ALIVE).time_ms
        tofd.say(Statelet(
            ue, 0x7701, 0x7702, flags=PROVED, heard_age=1000, seen_age=1000,
            proved_age=1000, time_ms=now - 60_000))
        session = wait_until(lambda: api.session_of(ue), 5, ue)
        assert session["evidenceAge"] >= 61


def test_what_no_tunnel_can_be_is_not_taken(lab, api):
    good, bad = "10.45.77.2", ("10.45.77.3", "10.45.77.4")

    def record(ue, teid, **kw):
        return Statelet(ue, teid, teid, flags=PROVED, time_ms=now, **kw)

    with Leader(ADDRESS) as server, lab.configured(FOLLOWS), \
            server.accept() as tofd:
        now = tofd.hear(lambda s: s.op == ALIVE).time_ms
        tofd.say(record(bad[0], 0x7703, down_sgw=SGW6),
                 record(bad[1], 0x7704, qfi=128), record(good, 0x7702))
        wait_until(lambda: api.session_of(good), 5, good)
        assert not any(map(api.session_of, bad))
