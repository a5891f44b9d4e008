# SPDX-License-Identifier: GPL-3.0-or-later
"""Ten thousand services come into force, are served, survive a restart of tofd
and go again, and so does one more."""

import json

import pytest

from tofnet.lab import APP, STATE
from tofnet.service import echo, is_text
from tofnet.wait import wait_until

MANY = 10000
PART = 500                      # Of them in a transaction.
TIMEOUT = 60                    # Seconds, on a machine that is not loaded.


def address(i):
    return f"198.18.{i // 250}.{i % 250 + 1}"


def change(lab, operations):
    """Changes the services' database as another member of a cluster would, in
    transactions that are not large.  Gives the results of 'operations'."""
    with open(f"{STATE}/ovs-dir", encoding="utf-8") as f:
        client = f.read().strip() + "/bin/ovsdb-client"
    return [result for first in range(0, len(operations), PART)
            for result in json.loads(lab.run(
                "lab-tof", client, "transact", f"unix:{STATE}/run/ovs/db.sock",
                json.dumps(["TOF", *operations[first:first + PART]])).stdout)]


def all_in_force(api):
    metrics = api.metrics()
    return (metrics["tof_services"] >= MANY
            and not metrics["tof_services_waiting"])


def are_served(bearer, text):
    for i in (0, MANY // 2, MANY - 1):
        payload = b"%s %d" % (text, i)
        bearer.uplink(echo(bearer.ue, payload, address(i), sport=5000 + i))
        bearer.wait_downlink(is_text(payload))


@pytest.fixture
def many(lab):
    rows = change(lab, [{"op": "insert", "table": "Service", "row": {
        "name": f"many-{i}", "service_ip": address(i),
        "application_ip": APP}} for i in range(MANY)])
    try:
        wait_until(lambda: all_in_force(lab.api), timeout=TIMEOUT,
                   what="all of them to be in force")
        yield
    finally:
        change(lab, [{"op": "delete", "table": "Service",
                      "where": [["_uuid", "==", row["uuid"]]]}
                     for row in rows])
        wait_until(lambda: not lab.api.metrics()["tof_services"],
                   timeout=TIMEOUT, what="all of them to go")


def test_ten_thousand_services_are_served(net, api, many):
    api.register()
    bearer = net.bearer("10.45.9.1")
    are_served(bearer, b"to")
    api.unregister()
    are_served(bearer, b"still to")


def test_ten_thousand_services_survive_a_restart(lab, net, api, many):
    bearer = net.bearer("10.45.9.1")
    are_served(bearer, b"before")
    lab.tofd("restart")
    wait_until(lambda: all_in_force(api), timeout=TIMEOUT,
               what="all of them to be in force again")
    wait_until(api.healthy, timeout=TIMEOUT)
    are_served(bearer, b"after")
