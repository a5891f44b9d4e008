# SPDX-License-Identifier: GPL-3.0-or-later
"""The outer DSCP of what the TOF builds is the one seen last on that tunnel
and in that direction."""

import pytest

from tofnet.emulator import ENB6, SGW6
from tofnet.service import echo, establish, is_text, wait_stale

EF, AF11 = 46 << 2, 10 << 2


@pytest.mark.parametrize("peers", [{}, {"enb": ENB6, "sgw": SGW6}],
                         ids=["ipv4", "ipv6"])
def test_dscp_of_each_direction(net, api, peers):
    api.register()
    b = net.bearer("10.45.2.1", up_tos=EF, down_tos=AF11, **peers)
    for text in (b"held", b"diverted"):
        b.uplink(echo(b.ue, text))
        f = b.wait_downlink(is_text(text))
        assert f.ip.tos == AF11 and f.ip.header_ok
    _, _, ping = net.pings[0]
    assert ping.ip.tos == EF and ping.ip.header_ok


def test_dscp_follows_a_change(net, api):
    """With the next proof, here after an End Marker."""
    api.register()
    b = establish(net, up_tos=EF, down_tos=AF11)
    b.up_tos, b.down_tos = AF11, EF
    b.end_marker()
    wait_stale(api, b.ue)
    b.uplink(echo(b.ue, b"changed"))
    f = b.wait_downlink(is_text(b"changed"))
    assert f.ip.tos == EF
    assert net.pings[-1][2].ip.tos == AF11
