# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the page for doc/, which scripts/pictures.sh has made; no test."""

import os
import time

import pytest
from test_page import (  # pylint: disable=unused-import
    beside, dead_app, tof)

from tofnet import packet as p
from tofnet.service import asks, diverted


@pytest.fixture
def where(api):
    api.register("edge")
    return os.environ["TOF_PICTURES"]


@pytest.mark.datapath("xdp")
def test_a_desk(tof, net, api, where):
    api.register("cache", "198.51.100.11", "192.168.100.10")
    bearers = [diverted(net, f"10.45.31.{i}") for i in range(1, 9)]
    begun = len(api.get("/history").json["times"])
    n = 0
    while len(api.get("/history").json["times"]) < begun + 18:
        for b in bearers[:2 + n // 40 % 6]:
            b.uplink(p.ip_udp(b.ue, f"198.51.100.{10 + n % 3 // 2}",
                              b"x" * (200 + n % 40 * 20), 5000 + n, 7))
        n += 1
        time.sleep(0.05)
    tof.open("http://127.0.0.1:8080/", 1100, 900)
    tof.see("#legend-services", "cache: ")
    tof.see("#service-rows", "cache")
    tof.picture(f"{where}/page.png")
    tof.open("http://127.0.0.1:8080/", 1000, 900, "dark")
    tof.see("#legend-services", "cache: ")
    tof.picture(f"{where}/page-plots.png", "#plots")


@pytest.mark.datapath("xdp")
def test_a_phone(lab, tof, net, where):
    with dead_app(lab):
        asks(net.bearer("10.45.31.20"))
        tof.open("http://127.0.0.1:8080/", 390, 844)
        tof.fill("#explain-form [name=ue]", "10.45.31.20")
        tof.fill("#explain-form [name=service]", "edge")
        tof.click("#explain-form button")
        tof.see("#explanation", "has not answered")
        tof.picture(f"{where}/page-phone.png")
