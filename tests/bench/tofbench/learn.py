# SPDX-License-Identifier: GPL-3.0-or-later
"""learn-rate, learn-latency, first-packet: tunnels that nobody has seen."""

import time

from tofnet import netns, packet as p
from tofnet.lab import SERVICE_IP
from tofnet.wait import wait_until

from . import rig, search, tof

POINTS = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.9, 100)


# A trial lasts a second.  What is not done this soon after its last packet
# counts as missed, so that it is a rate that is measured, not a backlog.
LATE = 0.25


class Trials:
    """Each with as many new tunnels as packets."""

    def __init__(self, run, t, dst, count):
        self.run, self.tof, self.count = run, t, count
        self.first = 0
        t.uplink("new", [rig.uplink(100, dst)])

    def __call__(self, rate):
        n = int(rate * self.run.pick(1, 0.2))
        self.tof.engine.set("new", sessions=n, first=self.first, next=0)
        self.first += n
        before = self.count()
        sent, took = self.tof.engine.trickle("new", n, rate)
        done = by_then(self.count, before + sent, LATE) - before
        self.calm()
        return sent / took, sent - done

    def calm(self):
        """Until what is left over of a trial is done."""
        steady(self.tof.proved, self.tof.learned())
        wait_until(lambda: not self.tof.metric("tof_hold_packets"), 10,
                   "nothing to be held", interval=0.1)


def by_then(count, wanted, seconds):
    """count() when it is as wanted, or after so many seconds."""
    end = time.monotonic() + seconds
    while (now := count()) < wanted and time.monotonic() < end:
        time.sleep(0.02)
    return now


def steady(count, wanted, still=1.0):
    """count() when it is as wanted, or has not changed for a second."""
    last, since = count(), time.monotonic()
    while last < wanted and time.monotonic() - since < still:
        time.sleep(0.05)
        now = count()
        if now != last:
            last, since = now, time.monotonic()
    return last


def learn_rate(run):
    def measure_one(metric, start, dst, count):
        def measure(t):
            if dst == SERVICE_IP:
                t.register()
            trial = Trials(run, t, dst, lambda: count(t))
            trial(500)                  # The first ones meet an empty house.
            best = search.highest(trial, start, run.pick(7, 2))
            run.report.add("learn-rate", metric, best, "tunnels/s",
                           datapath=t.datapath)
        tof.each_datapath(run, "learn-rate", measure)

    measure_one("learned", run.pick(20000, 2000), rig.OTHER,
                lambda t: t.learned())
    measure_one("proved", run.pick(10000, 1000), rig.OTHER,
                lambda t: t.proved())
    measure_one("diverted", run.pick(2000, 500), SERVICE_IP,
                lambda t: t.engine.count("app").packets)


def learn_latency(run):
    """From a UE's first packet, which is for a service, to its delivery."""
    def measure(t):
        t.register()
        n = run.pick(2000, 50)
        t.uplink("new", [rig.uplink(100, SERVICE_IP)], n,
                 stamp_at=rig.GTP_STAMP)
        t.engine.trickle("new", n, 200)
        steady(lambda: t.engine.count("app").packets, n)
        assert t.engine.count("app").packets, "nothing was delivered"
        ns = t.engine.samples("app", 0, n)
        came = [v / 1e6 for v in ns if v]
        report = run.report
        report.add("learn-latency", "sent", n, "packets",
                   datapath=t.datapath)
        report.add("learn-latency", "delivered", len(came), "packets", n,
                   t.datapath)
        report.percentiles("learn-latency", "latency", came, "ms",
                           t.datapath, POINTS)
        report.add("learn-latency", "first-of-path", came[0], "ms",
                   datapath=t.datapath)

    tof.each_datapath(run, "learn-latency", measure)


def syn_frame(ue, teid, sport, flags="S", seq=1000, ack=0):
    inner = p.ip_tcp(ue, SERVICE_IP, sport, 80, flags, seq=seq, ack=ack)
    return p.eth(rig.SGW_MAC, rig.ENB_MAC, p.outer(rig.ENB, rig.SGW,
                                                   p.gtpu(teid, inner)))


def connect(port, i):
    """ms from the SYN of UE 'i' to its SYN-ACK, or None: a UE would send
    again after a second."""
    ue, teid = f"10.46.{i >> 8}.{i & 255}", 0x100000 + i
    port.clear()
    sent = time.monotonic()
    port.send(syn_frame(ue, teid, 30000 + i))

    def is_answer(raw):
        f = p.GtpFrame.parse(raw)
        return f and f.teid == teid | tof.DOWN and f.inner.flags == "SA"
    try:
        frame = port.wait(is_answer, 1)
    except AssertionError:
        return None
    port.send(syn_frame(ue, teid, 30000 + i, "R", 1001))
    return (frame.time - sent) * 1000


def first_packet(run):
    def measure(t):
        t.register()
        t.engine.drop("enb")            # It would take the answers.
        with netns.RawPort("lab-enb", "s1u0") as port:
            times = [connect(port, i) for i in range(run.pick(1000, 20))]
        came = [ms for ms in times if ms is not None]
        run.report.add("first-packet", "tries", len(times), "connections",
                       datapath=t.datapath)
        run.report.add("first-packet", "retransmissions",
                       len(times) - len(came), "connections",
                       datapath=t.datapath)
        run.report.percentiles("first-packet", "syn-to-syn-ack", came, "ms",
                               t.datapath, (50, 99, 100))

    tof.each_datapath(run, "first-packet", measure)
