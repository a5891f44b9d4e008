# SPDX-License-Identifier: GPL-3.0-or-later
"""What UEs see of a fault: one whose packets are switched, both ways, one of
each family that is diverted, and new ones that come while it lasts.

    with Witness(net, api) as w:
        ...                     # something breaks
        w.new_ues()             # some come
        ...                     # and is mended
        w.wait_served()         # and all are served
    outcome = w.outcome()"""

import time
from dataclasses import dataclass

from . import packet as p
from .background import Background
from .service import OTHER, echo, establish, is_text, new_port
from .wait import wait_until

GAP = 0.01                      # Seconds between two packets of a stream.
KNOWN = "10.45.4.1", "2001:db8:4:1::1"
PLAIN, OTHER6 = ("10.45.4.2", "2001:db8:4:2::1"), "2001:db8:77::77"


def is_answered(b, timeout=0.3):
    """Whether the App answers a packet of 'b', of a connection of its own."""
    text = b"try %f" % time.monotonic()
    mark = b.net.enb.mark()
    try:
        b.uplink(echo(b.ue, text, sport=new_port()))
        b.wait_downlink(is_text(text), timeout=timeout, since=mark)
    except (AssertionError, OSError):
        return False
    return True


@dataclass
class Count:
    """What became of packets, and for how long at most none arrived."""
    sent: int = 0
    answered: int = 0
    switched: int = 0
    gap: float = 0.0            # Seconds.

    @property
    def lost(self):
        return self.sent - self.answered - self.switched


@dataclass
class Outcome:
    lost_up: int                # Packets of those that are switched.
    lost_down: int
    known: Count                # What the diverted UEs have sent.
    new: Count                  # The first packets of UEs that came meanwhile.
    back: float                 # Seconds until all were served.


class Witness(Background):
    def __init__(self, net, api):
        self.net, self.api = net, api
        self.known = [establish(net, ue) for ue in KNOWN]
        self.plain = [net.bearer(ue) for ue in PLAIN]
        for b in self.plain:
            b.uplink(self._switched_up(b, b"x"))
            api.wait_proved(b.ue)
        self.up, self.down = [], []     # (time, frame) each.
        self.asked, self.first = [], []     # (time, frame, Bearer, text) each.
        self.newest, self._n_new = [], 0
        self.back = None
        self._rounds = 0
        super().__init__()

    @staticmethod
    def _other(b):
        return OTHER6 if ":" in b.ue else OTHER

    def _switched_up(self, b, text):
        return p.ip_udp(b.ue, self._other(b), text)

    def _round(self, n):
        """One packet of each stream."""
        now, text = time.monotonic(), b"%08d" % n
        plain, known = self.plain[n % 2], self.known[n % 2]
        self.up.append((now, plain.uplink(self._switched_up(plain, text))))
        self.down.append((now, plain.downlink(p.ip_udp(
            self._other(plain), plain.ue, text))))
        self.asked.append((now, known.uplink(echo(known.ue, text)), known,
                           text))

    def _run(self):
        while not self._end.wait(GAP):
            try:
                self._round(self._rounds)
            except OSError:
                pass            # A link is down, so it has not been sent.
            self._rounds += 1

    def goes_on(self, seconds):
        """For so long; on a machine that is busy, for as many packets."""
        n = self._rounds + int(seconds / GAP / 2)
        end = time.monotonic() + seconds
        wait_until(lambda: time.monotonic() >= end and self._rounds >= n,
                   seconds + 5, "traffic")

    def new_ues(self):
        """One of each family, with a first packet each."""
        self._n_new += 1
        n = self._n_new
        self.newest = [self.net.bearer(ue) for ue in (
            f"10.45.{5 + n // 250}.{n % 250 + 1}", f"2001:db8:5:{n:x}::1")]
        for b in self.newest:
            text = b"first of %s" % b.ue.encode()
            try:
                self.first.append((time.monotonic(),
                                   b.uplink(echo(b.ue, text)), b, text))
            except OSError:
                pass

    def wait_served(self, since, also=lambda: True, timeout=20):
        """Until everybody is served: those that were known, those that came
        during the fault, and still newer ones; and also() says that the
        fault has been noticed, and mended."""
        self.new_ues()
        wait_until(lambda: also() and all(
            is_answered(b) for b in self.known + self.newest)
            and self.api.healthy(), timeout, "everybody to be served")
        self.back = time.monotonic() - since

    def __exit__(self, *exc):
        super().__exit__(*exc)
        if exc[0] is None:
            self._let_arrive()

    def _let_arrive(self):
        """What is under way; and what is held is given up after two
        seconds."""
        def all_there():
            return (not self._missing(self.first + self.asked[-2:])
                    and self.up[-1][1] in self.net.sgw.frames
                    and self.down[-1][1] in self.net.enb.frames)
        try:
            wait_until(all_there, 2.5, interval=0.3)
        except AssertionError:
            pass

    def _missing(self, asked):
        arrived = {bytes(f) for f in self.net.sgw.frames}
        answers = self._answers()
        return [a for a in asked if bytes(a[1]) not in arrived
                and (a[2].down_teid, a[3]) not in answers]

    def _answers(self):
        """(TEID, text) -> when it came to the eNodeB."""
        return {(f.teid, f.inner.payload): raw.time
                for raw in self.net.enb.frames
                if (f := p.GtpFrame.parse(raw)) and f.kind == p.GPDU}

    def _count(self, asked):
        arrived = {bytes(f) for f in self.net.sgw.frames}
        answers = self._answers()
        c = Count(sent=len(asked))
        last = asked[0][0] if asked else 0
        for sent, frame, b, text in asked:
            if (b.down_teid, text) in answers:
                c.answered += 1
            elif bytes(frame) in arrived:
                c.switched += 1
            else:
                c.gap = max(c.gap, sent - last)
                continue
            last = sent
        return c

    def outcome(self):
        at_sgw = {bytes(f) for f in self.net.sgw.frames}
        at_enb = {bytes(f) for f in self.net.enb.frames}
        return Outcome(
            sum(bytes(f) not in at_sgw for _, f in self.up),
            sum(bytes(f) not in at_enb for _, f in self.down),
            self._count(self.asked), self._count(self.first), self.back)
