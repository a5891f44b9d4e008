# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that need a data plane, held against swagger/tof.yaml; all others are
in test_rest.py."""

import os

import pytest
import requests
import yaml
from openapi import Contract

from tofnet import packet as p
from tofnet.lab import TOP
from tofnet.service import OTHER, diverted
from tofnet.wait import wait_until

UE, UE_LESS, TRACED = "10.45.33.1", "10.45.33.2", "10.45.33.3"
TOKEN = "s3cret-token"


class Checked:
    """The API of a lab; what it says has to be in the document."""

    def __init__(self, api):
        with open(os.path.join(TOP, "swagger/tof.yaml"),
                  encoding="utf-8") as f:
            self.contract = Contract(yaml.safe_load(f))
        self.api = api

    def call(self, method, path, expect):
        got = self.api.request(method, path, headers={
            "Authorization": f"Bearer {TOKEN}"})
        answer = requests.Response()
        answer.status_code = got.status
        answer.headers.update(got.headers)
        answer._content = got.text.encode()     # pylint: disable=W0212
        self.contract.check(method, path, answer)
        assert got.status == expect, got.text
        return got


@pytest.fixture(scope="module")
def traceable(lab, tmp_path_factory):
    file = tmp_path_factory.mktemp("contract") / "token"
    file.write_text(TOKEN)
    with lab.configured((r"(?m)^api: {", f"api: {{token_file: {file}, "),
                        (r"(?m)^registry:", "trace: {allow: yes}\nregistry:")):
        yield Checked(lab.api)


def test_explanations_are_as_described(net, api):
    checked = Checked(api)
    api.register()
    diverted(net, UE)
    for query in (f"ue={UE}&service=svc", f"ue={UE}", f"ue={UE_LESS}",
                  f"ue={UE}&service=nothing", "ue=2001:db8::1"):
        checked.call("GET", f"/explain?{query}", 200)


def test_a_trace_is_as_described(s1u, traceable):
    """Whatever it answers, but that the data path cannot trace (503)."""
    s1u.clear()
    traceable.call("GET", "/trace", 404)
    traceable.call("DELETE", "/trace", 404)
    traceable.call("POST", "/trace?ue=x", 400)
    traceable.call("POST", f"/trace?ue={TRACED}&seconds=20", 200)
    traceable.call("POST", f"/trace?ue={UE_LESS}", 409)
    traceable.call("GET", "/trace?after=x", 400)
    s1u.bearer(TRACED).uplink(p.ip_udp(TRACED, OTHER, b"hello"))
    wait_until(lambda: traceable.call("GET", "/trace", 200).json["packets"],
               what="a packet")
    traceable.call("DELETE", "/trace", 200)
    missing = {answer for answer in traceable.contract.answers()
               if answer[1] == "/trace"} - traceable.contract.seen
    assert {status for _, _, status in missing} <= {204, 401, 403, 406, 503}
