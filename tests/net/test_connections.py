# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's table of connections is everybody's: one UE does not use it up,
and while it is full nobody is diverted into it."""

from tofnet import conntrack
from tofnet.lab import APP6, SERVICE_IP6
from tofnet.service import answered, diverted, echo, new_port, switched
from tofnet.wait import wait_until

NAT = "tof-app"
BOUND = 20
DROPPED = 'tof_nat_dropped_packets_total{reason="too_many_connections"}'


def test_one_ue_does_not_starve_others(lab, net, api):
    """From many addresses of its prefix, and ports: what it has is answered
    still, and so is everybody else."""
    api.register()
    api.register("six", SERVICE_IP6, APP6)
    with lab.configured((r"may_connect: true",
                         f"may_connect: true, connections_per_ue: {BOUND}")):
        greedy = diverted(net, "2001:db8:45:7::1")
        other = diverted(net, "10.45.7.2")
        texts = [b"greedy %d" % i for i in range(3 * BOUND)]
        for i, text in enumerate(texts):
            greedy.uplink(echo(f"2001:db8:45:7::{i + 0x10:x}", text,
                               SERVICE_IP6, sport=7000))
        wait_until(lambda: api.metrics()[DROPPED] >= 2 * BOUND,
                   what="its new connections to be dropped")
        assert answered(greedy)
        assert answered(other, sport=6001)
        assert answered(diverted(net, "10.45.7.3"))


def test_nobody_is_diverted_into_a_full_table(lab, net, api):
    """Packets of another UE are switched, and not lost; who is diverted
    already stays so."""
    api.register()
    before = diverted(net, "10.45.7.4")
    try:
        conntrack.fill(NAT, conntrack.maximum(NAT) * 91 // 100)
        wait_until(lambda: not api.part("nat")["ready"], what="tofd to see it")
        assert "no further UE" in api.part("nat")["detail"]
        assert api.get("/healthz").status == 503
        metrics = api.metrics()
        assert (metrics["tof_nat_connections"]
                >= 0.9 * metrics["tof_nat_connections_max"])
        new = net.bearer("10.45.7.5")
        for text in (b"first", b"second", b"third"):
            switched(net, new.uplink(echo(new.ue, text)))
        assert answered(before)
    finally:
        conntrack.empty(NAT)
    wait_until(api.healthy, what="tofd to see that there is room")
    assert answered(new, new_port())
    assert answered(before)
