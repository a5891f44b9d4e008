# SPDX-License-Identifier: GPL-3.0-or-later
"""The REST API: services, sessions, the TOF itself, and every kind of wrong
request.  Each answer is held against the OpenAPI document that the API itself
serves.

Runs against rest_driver, a server with services in memory, or with TOF_URL
set (and maybe TOF_TOKEN) against a real tofd; tests of what only the driver
can do are then skipped."""

import concurrent.futures
import json
import os
import re
import time

import pytest
from restdriver import Driver, Rest

from tofnet import statelet

EDGE = {"name": "edge", "serviceIP": "198.51.100.10",
        "applicationIP": "192.168.100.10"}
EDGE6 = {"name": "edge6", "serviceIP": "2001:db8::10",
         "applicationIP": "fd00:100::10"}
N_SESSIONS = 3000
STATELETS_MAX = 64 * 1024 // statelet.LEN       # In a body.


@pytest.fixture(scope="module")
def server():
    """The driver; None if there is a real tofd instead."""
    if "TOF_URL" in os.environ:
        yield None
        return
    with Driver("-s", str(N_SESSIONS)) as running:
        yield running


@pytest.fixture(scope="module")
def connected(server):
    return Rest(os.environ["TOF_URL"] if server is None
                else f"http://127.0.0.1:{server.port}")


@pytest.fixture
def rest(connected):
    """The API, without the services of the tests."""
    before = [service["name"] for service in connected.services()]
    yield connected
    for service in connected.services():
        if service["name"] not in before:
            connected.call("DELETE", "/service/" + service["name"], 200)


@pytest.fixture
def driver(server):
    if server is None:
        pytest.skip("only with rest_driver, not with a real tofd")
    return server


# Services.

@pytest.mark.parametrize("service", [EDGE, EDGE6], ids=["ipv4", "ipv6"])
def test_life_of_a_service(rest, service):
    path = "/service/" + service["name"]
    assert rest.call("POST", "/service", 200, json=service).json() == service
    assert service in rest.services()
    assert rest.call("GET", path, 200).json() == service
    assert rest.call("GET", "/service/" + service["serviceIP"],
                     200).json() == service

    moved = dict(service, name="moved")
    assert rest.call("PUT", path, 200, json=moved).json() == moved
    rest.call("GET", path, 404)
    assert rest.call("GET", "/service/moved", 200).json() == moved

    rest.call("DELETE", "/service/moved", 200)
    rest.call("DELETE", "/service/moved", 404)
    assert moved not in rest.services()


@pytest.mark.parametrize("service", [EDGE, EDGE6], ids=["ipv4", "ipv6"])
def test_delete_by_service_ip(rest, service):
    rest.call("POST", "/service", 200, json=service)
    rest.call("DELETE", "/service/" + service["serviceIP"], 200)
    rest.call("GET", "/service/" + service["name"], 404)


def test_services_are_ordered_by_name(rest):
    for i, name in enumerate(("zz", "mm", "aa")):
        rest.add(name, f"198.51.100.{20 + i}")
    names = [service["name"] for service in rest.services()]
    assert names == sorted(names) and {"aa", "mm", "zz"} <= set(names)


def pages_of(rest, path):
    """All pages that 'path' leads to."""
    pages = []
    while path:
        answer = rest.call("GET", path, 200)
        pages.append(answer.json())
        path = answer.links.get("next", {}).get("url")
        assert (path is None) == ("X-Next-Cursor" not in answer.headers)
    return pages


def test_services_by_pages(rest, driver):
    for i in range(150):
        rest.add(f"svc-{i:03}", f"203.0.113.{i + 1}")
    services = rest.services()
    assert len(services) == 150
    pages = pages_of(rest, "/service?limit=70")
    assert [len(page) for page in pages] == [70, 70, 10]
    assert sum(pages, []) == services
    assert sum(pages_of(rest, "/service?limit=150"), []) == services
    assert rest.call("GET", "/service?cursor=svc-148", 200).json() == [
        services[149]]
    assert rest.call("GET", "/service?cursor=zz", 200).json() == []
    pages = pages_of(rest, "/service?limit=70&view=status")
    assert [how["name"] for how in sum(pages, [])] == [
        service["name"] for service in services]
    assert all(how["inForce"] for how in sum(pages, []))


def test_how_a_service_is(rest, driver):
    rest.add("edge", "198.51.100.10")
    how = rest.call("GET", "/service/edge/status", 200).json()
    assert how == rest.call("GET", "/service/198.51.100.10/status", 200).json()
    assert how == dict(EDGE, inForce=True, app={
        "state": "up", "since": "2026-11-30T12:00:00.000Z"})
    assert how in rest.call("GET", "/service?view=status", 200).json()
    rest.call("GET", "/service?view=everything", 400)
    rest.call("GET", "/service/nobody/status", 404)
    rest.call("GET", "/service/edge/nothing", 404)


def test_conflicts(rest):
    rest.add("edge", "198.51.100.10")
    rest.add("other", "198.51.100.11")
    before = rest.services()
    rest.add("edge", "198.51.100.12", expect=409)
    rest.add("third", "198.51.100.10", expect=409)
    rest.call("PUT", "/service/other", 409, json=EDGE)
    rest.call("PUT", "/service/other", 409, json=dict(EDGE, name="other"))
    assert rest.services() == before


def test_put_what_is_not_there(rest):
    rest.call("PUT", "/service/nobody", 404, json=EDGE)
    rest.call("PUT", "/service/caf%C3%A9", 404, json=EDGE)
    rest.call("GET", "/service/nobody", 404)
    rest.call("DELETE", "/service/198.51.100.99", 404)


def test_path_is_decoded(rest):
    rest.add("a_b-c.d", "198.51.100.10")
    rest.call("GET", "/service/%61_b%2dc%2Ed", 200)
    rest.call("GET", "/service/2001%3adb8%3A%3a10", 404)
    rest.call("DELETE", "/service/%61_b%2dc%2Ed", 200)


def test_chain_is_shown(rest, driver):
    rest.add("edge", "198.51.100.10", chain=["fw", "dpi"])
    assert rest.call("GET", "/service/edge").json()["chain"] == ["fw", "dpi"]


def test_several_apps_are_shown(rest, driver):
    apps = [{"ip": "192.168.100.10", "weight": 0},
            {"ip": "192.168.100.11"}, {"ip": "192.168.100.12", "weight": 9}]
    service = {"name": "edge", "serviceIP": "198.51.100.10",
               "applications": apps}
    shown = dict(service, applications=[apps[0], dict(apps[1], weight=1),
                                        apps[2]])
    answer = rest.call("POST", "/service", 200, json=service)
    etag = answer.headers["ETag"]
    assert answer.json() == shown
    assert rest.call("GET", "/service/edge", 200).json() == shown
    status = rest.call("GET", "/service/edge/status", 200).json()
    assert [(app["address"], app["state"], app.get("reason"))
            for app in status["apps"]] == [
        ("192.168.100.10", "up", None),
        ("192.168.100.11", "down", "it is odd"),
        ("192.168.100.12", "up", None)]
    metrics = rest.call("GET", "/metrics", 200).text
    assert 'tof_service_app_down{service="edge",app="192.168.100.11"} 1' \
        in metrics
    shown["applications"].pop(0)
    answer = rest.call("PUT", "/service/edge", 200, json=shown)
    assert answer.json() == shown and answer.headers["ETag"] != etag
    rest.call("PUT", "/service/edge", 200,
              json=dict(shown, applications=[apps[2]]))
    assert rest.call("GET", "/service/edge", 200).json() == {
        "name": "edge", "serviceIP": "198.51.100.10",
        "applicationIP": "192.168.100.12"}


def test_outcomes_of_the_data_plane(rest, driver):
    before = rest.services()
    rest.add("fail-1", "198.51.100.10", expect=500)
    rest.add("down-1", "198.51.100.10", expect=503)
    rest.add("edge", "198.51.100.10")
    for name, status in (("fail-1", 500), ("down-1", 503)):
        rest.call("PUT", "/service/edge", status, json=dict(EDGE, name=name))
        rest.call("DELETE", f"/service/{name}", status)
    rest.call("DELETE", "/service/edge", 200)
    assert rest.services() == before
    rest.add("slow-1", "198.51.100.10")
    rest.add("slow-1", "198.51.100.10", expect=409)
    rest.call("PUT", "/service/slow-1", 200, json=dict(EDGE, name="slow-2"))
    rest.call("DELETE", "/service/slow-2", 200)
    assert rest.services() == before


# Wrong requests.

def body(**changes):
    """EDGE with changes; a member set to ... is left out."""
    return {key: value for key, value in {**EDGE, **changes}.items()
            if value is not ...}


BAD_MEMBERS = [
    dict(name=...), dict(serviceIP=...), dict(applicationIP=...),
    dict(name=1), dict(name=None), dict(name=True), dict(name=["edge"]),
    dict(name={}), dict(name=""), dict(name="x" * 64), dict(name="a b"),
    dict(name="a/b"), dict(name="a\0b"), dict(name="café"), dict(name=".."),
    dict(name="10.1.0.1"), dict(name="2001:db8::1"), dict(name="x" * 60000),
    dict(serviceIP=3325256714), dict(serviceIP=[]), dict(serviceIP=""),
    dict(serviceIP="198.51.100"), dict(serviceIP="198.51.100.256"),
    dict(serviceIP="198.51.100.10/32"), dict(serviceIP="edge.example"),
    dict(serviceIP="0.0.0.0"), dict(serviceIP="127.0.0.1"),
    dict(serviceIP="224.0.0.1"), dict(serviceIP="255.255.255.255"),
    dict(serviceIP="::ffff:198.51.100.10"), dict(serviceIP="::"),
    dict(serviceIP="::1"), dict(serviceIP="ff02::1"),
    dict(serviceIP="fe80::1%eth0"), dict(serviceIP="2001:db8::10"),
    dict(applicationIP="fd00::1"), dict(applicationIP="127.1.2.3"),
    dict(applicationIP="239.1.1.1"), dict(applicationIP="0.0.0.0"),
    dict(applicationIP="x"), dict(applicationIP=EDGE["serviceIP"]),
    dict(applicationIP="::ffff:192.168.100.10"),
    dict(applications=[{"ip": "192.168.100.11"}]),
    dict(applicationIP=None, applications=[{"ip": "192.168.100.11"}]),
    dict(port=80), dict(Name="edge"), dict(chain="fw"), dict(chain=[1]),
    dict(chain=["f w"]), dict(chain=["fw"] * 2), dict(chain=None),
    dict(chain=[str(i) for i in range(9)]),
]

BAD_TEXTS = [
    b"", b" ", b"{", b"{}", b"[]", b"null", b"1", b'"edge"', b"\0", b"\xff",
    b"{'name': 'edge'}", b'{"name":"edge",}', b"[" * 60000,
    b'{"name":' * 8000, b'{"name":"a\xff","serviceIP":"198.51.100.10",'
    b'"applicationIP":"192.168.100.10"}',
    b'{"name":"a","name":"b","serviceIP":"198.51.100.10",'
    b'"applicationIP":"192.168.100.10"}',
    b'{"name":"edge","serviceIP":"198.51.100.10",'
    b'"applicationIP":"192.168.100.10"} trailing',
    b'{"name":"edge","serviceIP":"198.51.100.10",'
    b'"applicationIP":"192.168.100.10"}\0',
    b'\xef\xbb\xbf{"name":"edge","serviceIP":"198.51.100.10",'
    b'"applicationIP":"192.168.100.10"}',
    '{"name":"edge"}'.encode("utf-16"),
]


@pytest.mark.parametrize("changes", BAD_MEMBERS,
                         ids=lambda c: repr(c)[:40])
def test_bad_members(rest, changes):
    before = rest.services()
    answer = rest.call("POST", "/service", 400, json=body(**changes))
    assert any(name in answer.json()["detail"] for name in
               (*changes, "body", "serviceIP")), answer.text
    rest.call("PUT", "/service/nobody", 400, json=body(**changes))
    assert rest.services() == before


@pytest.mark.parametrize("text", BAD_TEXTS, ids=lambda t: repr(t)[:40])
def test_bad_texts(rest, text):
    before = rest.services()
    rest.raw("POST", "/service", text, 400)
    assert rest.services() == before


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/services", 404), ("GET", "/web", 404), ("GET", "/service/", 404),
    ("GET", "/service/a/b", 404), ("GET", "//service", 404),
    ("GET", "/Service", 404), ("GET", "*", 404), ("GET", "/nothing?x=y", 404),
    ("GET", "/service/%", 400), ("GET", "/service/%4", 400),
    ("GET", "/service/%zz", 400), ("GET", "/service/a%00b", 400),
    ("DELETE", "/service/%ff%fe", 404), ("GET", "/%zz", 400),
    ("DELETE", "/service", 405), ("PUT", "/service", 405),
    ("POST", "/service/edge", 405), ("PATCH", "/service/edge", 405),
    ("POST", "/session", 405), ("PUT", "/session/00000100", 405),
    ("DELETE", "/peer", 405), ("POST", "/status", 405),
    ("POST", "/metrics", 405), ("POST", "/healthz", 405),
    ("OPTIONS", "/nothing", 404), ("BREW", "/service", 405),
    ("GET", "/session/00000000", 404), ("GET", "/session/1", 404),
    ("GET", "/session/zzzzzzzz", 404), ("DELETE", "/session/ffffff00", 404),
    ("GET", "/session?limit=0", 400), ("GET", "/session?limit=10001", 400),
    ("GET", "/session?limit=-1", 400), ("GET", "/session?limit=1e3", 400),
    ("GET", "/session?limit=99999999999999999999", 400),
    ("GET", "/session?limit=%zz", 400), ("GET", "/session?ue=edge", 400),
    ("GET", "/session?ue=10.45.0.1&ue=10.45.0.2", 400),
    ("GET", "/session?ue=::ffff:10.45.0.1", 400),
    ("GET", "/session?ue=10.45.0.1/32", 400),
    ("GET", "/session?ue=fd00::1/64", 400),
    ("GET", "/service?limit=0", 400), ("GET", "/service?limit=10001", 400),
    ("GET", "/peer?limit=x", 400), ("GET", "/peer?cursor=x", 400),
    ("GET", "/peer?cursor=enb-x", 400), ("GET", "/peer?cursor=%zz", 400),
    ("GET", "/web/../tofd", 404), ("GET", "/web/nothing.js", 404),
    ("GET", "/session?state=good", 400), ("GET", "/session?cursor=1", 400),
    ("GET", "/session?cursor=0000010g", 400),
])
def test_bad_requests(rest, method, path, status):
    answer = rest.exact(method, path, status)
    if status == 405:
        assert answer.headers["Allow"] and method not in \
            answer.headers["Allow"].split(", ")


def path_of(template):
    """One that it stands for."""
    return re.sub("{[a-z]+}", "0", template)


def test_options_name_the_methods(rest):
    for template, item in rest.contract.document["paths"].items():
        answer = rest.call("OPTIONS", path_of(template), 204)
        methods = {method.upper() for method in item} - {"PARAMETERS"}
        assert answer.content == b""
        assert set(answer.headers["Allow"].split(", ")) == methods | (
            {"HEAD"} if "GET" in methods else set())


def each_operation(rest, status):
    """Those that are described to answer so."""
    for method, template, described in rest.contract.answers():
        if described == status:
            yield method, path_of(template)


def test_who_wants_another_type_gets_nothing(rest):
    """And changes nothing."""
    rest.add("edge", "198.51.100.10")
    before = rest.services()
    n = 0
    for method, path in each_operation(rest, 406):
        rest.call(method, path, 406, headers={"Accept": "image/png"},
                  data=json.dumps(dict(EDGE, name="other")))
        n += 1
    assert n > 15 and rest.services() == before
    rest.call("GET", "/metrics", 200, headers={
        "Accept": "application/openmetrics-text;version=1.0.0;q=0.8,"
                  "text/plain;version=0.0.4;q=0.5"})


def test_other_sites_are_refused_everywhere(rest):
    before = rest.services()
    for method, path in each_operation(rest, 403):
        rest.call(method, path, 403, json=EDGE,
                  headers={"Origin": "http://evil.example"})
    assert rest.services() == before


def test_who_shows_no_token_is_refused_everywhere(rest, driver, tmp_path):
    (tmp_path / "token").write_text("secret")
    with Driver("-t", str(tmp_path / "token")) as own:
        api = Rest(f"http://127.0.0.1:{own.port}", rest.contract)
        for method, path in each_operation(rest, 401):
            api.call(method, path, 401, json=EDGE)
        for path in ("/", "/docs", "/web/page.js", "/healthz"):
            api.call("GET", path, 200)


def test_bodies_are_looked_at_everywhere(rest):
    for method, path in each_operation(rest, 413):
        rest.raw(method, path, b" " * 65537, 413, content_type=None)
    for method, path in each_operation(rest, 415):
        rest.raw(method, path, b"{}", 415, content_type="image/png")


def test_badly_encoded_paths_everywhere(rest):
    for method, template in rest.contract.operations():
        if "{" in template:
            rest.exact(method, re.sub("{[a-z]+}", "%zz", template), 400)


# Entity tags of services.

def test_who_knows_a_service_is_told_so(rest):
    tag = rest.add("edge", "198.51.100.10").headers["ETag"]
    answer = rest.call("GET", "/service/edge", 200)
    assert answer.headers["ETag"] == tag
    for known in (tag, f'"x", W/{tag}', "*"):
        answer = rest.call("GET", "/service/edge", 304,
                           headers={"If-None-Match": known})
        assert answer.headers["ETag"] == tag
    rest.call("GET", "/service/edge", 200, headers={"If-None-Match": '"x"'})


@pytest.mark.parametrize("changes", [
    {"name": "other"}, {"applicationIP": "192.168.100.11"},
    {"serviceIP": "198.51.100.11"}, {"chain": ["fw"]}], ids=str)
def test_another_service_has_another_tag(rest, driver, changes):
    tag = rest.add("edge", "198.51.100.10").headers["ETag"]
    answer = rest.call("PUT", "/service/edge", 200, json={**EDGE, **changes})
    assert answer.headers["ETag"] != tag
    name = changes.get("name", "edge")
    answer = rest.call("PUT", f"/service/{name}", 200, json=EDGE)
    assert answer.headers["ETag"] == tag


def test_nobody_overwrites_what_another_has_changed(rest):
    tag = rest.add("edge", "198.51.100.10").headers["ETag"]
    moved = dict(EDGE, applicationIP="192.168.100.11")
    new = rest.call("PUT", "/service/edge", 200, json=moved,
                    headers={"If-Match": tag}).headers["ETag"]
    for method, kw in (("PUT", {"json": EDGE}), ("DELETE", {})):
        for stale in (tag, f"W/{new}", '"x"'):
            rest.call(method, "/service/edge", 412,
                      headers={"If-Match": stale}, **kw)
        rest.call(method, "/service/nobody", 404,
                  headers={"If-Match": tag}, **kw)
    assert rest.services() == [moved]
    rest.call("PUT", "/service/edge", 200, json=moved,
              headers={"If-Match": "*"})
    rest.call("DELETE", "/service/198.51.100.10", 200,
              headers={"If-Match": f'"x", {new}'})


def test_of_two_at_once_one_is_first(rest, driver):
    """The tag has to be right when the change's turn comes."""
    tag = rest.add("slow-1", "198.51.100.10").headers["ETag"]

    def change(app):
        own = Rest(rest.url, rest.contract)
        return own.call("PUT", "/service/slow-1", json=dict(
            EDGE, name="slow-1", applicationIP=f"192.168.100.{app}"),
            headers={"If-Match": tag}).status_code

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(change, range(20, 24))) == [200, 412, 412, 412]


def test_files_of_the_page_are_not_sent_twice(rest):
    for path in ("/", "/docs", "/web/chart.min.js"):
        answer = rest.call("GET", path, 200)
        assert answer.headers["Cache-Control"] == "no-cache"
        answer = rest.call("GET", path, 304, headers={
            "If-None-Match": answer.headers["ETag"]})
        assert answer.content == b""


@pytest.mark.parametrize("content_type, status", [
    (None, 400), ("application/json", 400), ("Application/JSON", 400),
    ("application/json; charset=utf-8", 400),
    ('application/json;charset="UTF-8"', 400),
    ("application/json; charset=utf-16", 415), ("text/plain", 415),
    ("application/x-www-form-urlencoded", 400), ("application/jsonx", 415),
    ("multipart/form-data; boundary=x", 415), ("", 400),
])
def test_content_types(rest, content_type, status):
    rest.raw("POST", "/service", b"{}", status, content_type=content_type)


@pytest.mark.parametrize("size, status", [
    (65536, 200), (65537, 413), (1 << 20, 413), (8 << 20, 413)])
@pytest.mark.parametrize("chunked", [False, True])
def test_size_of_a_body(rest, size, status, chunked):
    text = (b'{"name":"edge","serviceIP":"198.51.100.10","applicationIP":'
            b'"192.168.100.10"}').ljust(size)
    before = rest.services()
    rest.raw("POST", "/service", iter([text]) if chunked else text, status)
    assert (rest.services() == before) == (status != 200)


# Sessions and peers.

def test_sessions_by_pages(rest, driver):
    whole = rest.call("GET", "/session?limit=10000", 200)
    sessions = whole.json()
    assert len(sessions) == N_SESSIONS
    assert "X-Next-Cursor" not in whole.headers
    assert len({session["id"] for session in sessions}) == N_SESSIONS

    pages = pages_of(rest, "/session?limit=700&state=")
    assert all(len(page) <= 700 for page in pages)
    assert [s["id"] for page in pages for s in page] == [
        s["id"] for s in sessions]
    assert len(rest.call("GET", "/session", 200).json()) == 1000


def test_sessions_are_filtered(rest, driver):
    for state in ("embryonic", "established", "stale"):
        answer = rest.call("GET", f"/session?state={state}&limit=10", 200)
        assert {session["state"] for session in answer.json()} == {state}
        assert f"state={state}&" in answer.headers["Link"]
    sessions = rest.call("GET", "/session?ue=10.45.0.2", 200).json()
    assert [session["ue"] for session in sessions] == ["10.45.0.2"]
    assert rest.call("GET", "/session?ue=10.46.0.1", 200).json() == []
    assert rest.call("GET", "/session?ue=fd00::1", 200).json() == []
    assert rest.call("GET", "/session?ue=fd00::/64", 200).json() == []
    assert rest.call("GET", "/session?ue=10.45.0.2&state=stale",
                     200).json() == []


def test_a_session(rest, driver):
    listed = rest.call("GET", "/session?ue=10.45.0.2", 200).json()[0]
    session = rest.call("GET", "/session/" + listed["id"], 200).json()
    age = session.pop("evidenceAge")
    assert 0 <= listed.pop("evidenceAge") <= age
    assert session == listed
    assert session["state"] == "established"
    bearer, = session["bearers"]
    assert bearer["uplink"] == {"enb": "10.1.0.2", "sgw": "10.1.1.2",
                                "teid": 0xf0000001}
    assert bearer["downlink"] == {"sgw": "10.1.1.2", "enb": "10.1.0.2",
                                  "teid": 0x1001, "qfi": 1}
    assert session["counters"]["packetsUp"] == 1
    assert session["services"] == [
        {"name": name, "serviceIP": "10.45.0.2", "bytesUp": 2,
         "packetsUp": int(session["id"], 16), "packetsDown": 3,
         "bytesDown": 4} for name in ("edge", 'a "quoted" name')]


def test_an_embryonic_session(rest, driver):
    session, = rest.call("GET", "/session?ue=10.45.0.1", 200).json()
    assert session["state"] == "embryonic"
    assert session["bearers"][0]["downlink"] is None
    assert not session["bearers"][0]["proved"]
    assert session["services"] == []


def test_peers(rest, driver):
    peers = rest.call("GET", "/peer", 200).json()
    assert [peer["role"] for peer in peers] == ["enb"] * 16 + ["sgw"] * 2
    assert sum(peer["bearers"] for peer in peers
               if peer["role"] == "sgw") == N_SESSIONS


def test_peers_by_pages(rest, driver):
    peers = rest.call("GET", "/peer", 200).json()
    pages = pages_of(rest, "/peer?limit=7")
    assert [len(page) for page in pages] == [7, 7, 4]
    assert sum(pages, []) == peers


def test_peers_are_those_of_bearers(driver):
    """They go with their last bearer."""
    with Driver("-s", "40") as own:
        rest = Rest(f"http://127.0.0.1:{own.port}")
        for n in range(40, 0, -1):
            peers = rest.call("GET", "/peer", 200).json()
            sessions = rest.call("GET", "/session", 200).json()
            for peer in peers:
                assert peer["bearers"] == sum(
                    b["uplink"][peer["role"]] == peer["address"]
                    for s in sessions for b in s["bearers"]) > 0
            assert len(sessions) == n
            rest.call("DELETE", "/session/" + sessions[n // 2]["id"], 200)
        assert rest.call("GET", "/peer", 200).json() == []


# The page.

@pytest.mark.parametrize("path, kind", [
    ("/", "text/html; charset=utf-8"), ("/docs", "text/html; charset=utf-8"),
    ("/web/page.js", "text/javascript"), ("/web/style.css", "text/css"),
    ("/web/chart.min.js", "text/javascript"), ("/web/icon.svg",
                                               "image/svg+xml")])
def test_files_of_the_page(rest, path, kind):
    answer = rest.call("GET", path, 200)
    assert answer.headers["Content-Type"] == kind
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert rest.call("HEAD", path, 200).headers["Content-Length"] == str(
        len(answer.content))


def test_docs_have_all_operations_without_a_script(rest):
    text = rest.call("GET", "/docs", 200).text
    assert "<script" not in text and " style=" not in text
    for method, template in rest.contract.operations():
        assert re.search(f'<span class="method">{method}</span> '
                         f"<code>{re.escape(template)}</code>", text)
    for name in rest.contract.document["components"]["schemas"]:
        assert f'id="schema-{name}"' in text
    ids = set(re.findall('id="([^"]+)"', text))
    assert set(re.findall('href="#([^"]+)"', text)) <= ids


def test_purge(driver, connected):
    with Driver("-s", "10") as own:
        rest = Rest(f"http://127.0.0.1:{own.port}", connected.contract)
        session = rest.call("GET", "/session?limit=1", 200).json()[0]
        rest.call("DELETE", "/session/" + session["id"], 200)
        rest.call("GET", "/session/" + session["id"], 404)
        rest.call("DELETE", "/session/" + session["id"], 404)
        assert len(rest.call("GET", "/session").json()) == 9


# Export and import.

def test_export(rest, driver):
    """All but embryonic ones, in order of their identifiers."""
    statelets = rest.snapshot()
    assert len(statelets) == N_SESSIONS - N_SESSIONS // 3
    assert {s[:6] for s in statelets} == {b"TOFS\1\1"}
    teids = [int.from_bytes(s[20:24], "big") for s in statelets]
    assert teids == [0xf0000000 + i for i in range(N_SESSIONS) if i % 3]
    assert rest.call("HEAD", "/statelet", 200).content == b""


def test_export_of_nothing(driver):
    with Driver("-s", "1") as own:
        assert Rest(f"http://127.0.0.1:{own.port}").snapshot() == []


def tunnels(session):
    """What a session has beside what its TOF gave it."""
    return session["ue"], [(b["uplink"], b["downlink"])
                           for b in session["bearers"]]


def test_import(rest, driver):
    """What another TOF has learned is known, and not proved; a second time it
    is refused."""
    statelets = rest.snapshot()[:STATELETS_MAX]
    with Driver() as own:
        fresh = Rest(f"http://127.0.0.1:{own.port}", rest.contract)
        assert fresh.post_statelets(statelets, 200) == {
            "imported": STATELETS_MAX, "refused": 0}
        sessions = fresh.call("GET", "/session", 200).json()
        assert {session["state"] for session in sessions} == {"stale"}
        known = rest.call("GET", "/session?limit=10000", 200).json()
        assert [tunnels(s) for s in sessions] == [
            tunnels(s) for s in known
            if s["state"] != "embryonic"][:STATELETS_MAX]
        assert fresh.post_statelets(statelets, 200) == {
            "imported": 0, "refused": STATELETS_MAX}
        assert len(fresh.snapshot()) == STATELETS_MAX


def test_import_of_what_is_known(rest, driver):
    """Proofs of this TOF's own stay."""
    before = rest.call("GET", "/session?state=established&limit=10000").json()
    statelets = rest.snapshot()[:100]
    assert rest.post_statelets(statelets, 200) == {
        "imported": 0, "refused": 100}
    after = rest.call("GET", "/session?state=established&limit=10000").json()
    assert [s["id"] for s in after] == [s["id"] for s in before]


def test_import_of_nothing(rest):
    assert rest.post_statelets([], 200) == {"imported": 0, "refused": 0}


def damaged(record, offset):
    return statelet.put(record, offset, bytes([record[offset] ^ 0x40]))


def other(offset, new):
    """What makes it a good record that says something else."""
    return lambda record: statelet.sign(statelet.put(record, offset, new))


@pytest.mark.parametrize("spoil", [
    lambda s: s[:-1], lambda s: s + b"T", lambda s: damaged(s, 0),
    lambda s: damaged(s, 4), lambda s: damaged(s, 5), lambda s: damaged(s, 20),
    lambda s: damaged(s, 127), lambda s: bytes(statelet.LEN),
    other(statelet.OPERATION, b"\3"), other(statelet.UP_TEID, bytes(4)),
    other(statelet.UE, bytes(16))],
    ids=["short", "long", "magic", "version", "operation", "contents", "crc",
         "zeros", "gone", "no tunnel", "no UE"])
def test_import_with_a_bad_record(rest, driver, spoil):
    """Nothing of such a body is taken."""
    good = rest.snapshot()[:3]
    with Driver() as own:
        fresh = Rest(f"http://127.0.0.1:{own.port}", rest.contract)
        assert statelet.sign(good[2]) == good[2]
        problem = fresh.post_statelets([*good[:2], spoil(good[2])], 400)
        assert "Record " in problem["detail"]
        assert fresh.snapshot() == []
        fresh.post_statelets(good, 200)


@pytest.mark.parametrize("n, status", [
    (STATELETS_MAX, 200), (STATELETS_MAX + 1, 413)])
def test_size_of_an_import(rest, driver, n, status):
    rest.post_statelets(rest.snapshot()[:n], status)


@pytest.mark.parametrize("content_type, status", [
    (None, 200), ("application/octet-stream", 200),
    ("application/x-www-form-urlencoded", 200), ("application/json", 415),
    ("text/plain", 415)])
def test_content_types_of_an_import(rest, content_type, status):
    rest.raw("POST", "/statelet", b"", status, content_type=content_type)


# The TOF itself.

def test_status_and_health(rest):
    status = rest.call("GET", "/status", 200).json()
    health = rest.call("GET", "/healthz")
    assert status["ready"] == (health.status_code == 200)
    assert {"nat", "journal", "usage"} <= {
        part["name"] for part in status["parts"]}


@pytest.mark.parametrize("part, code", [
    ("openflow", 503), ("interception", 503), ("pinger", 200),
    ("journal", 200)])
def test_health_without_a_part(driver, connected, part, code):
    with Driver("-m", part) as own:
        rest = Rest(f"http://127.0.0.1:{own.port}", connected.contract)
        health = rest.call("GET", "/healthz", code).json()
        status = rest.call("GET", "/status", 200).json()["health"]
        metrics = rest.call("GET", "/metrics", 200).text
        assert f'tof_part_ready{{part="{part}"}} 0' in metrics
        assert status == {"status": "down" if code == 503 else "degraded",
                          "reason": f"{part}: taken away"}
        if code == 503:
            assert health["detail"] == f"{part}: taken away"
        else:
            assert health == status


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_a_trace_needs_a_token_or_the_unix_socket(rest, driver, method):
    problem = rest.call(method, "/trace?ue=10.45.0.1", 403).json()
    assert "token" in problem["detail"]


def test_the_last_hour(rest, driver):
    """Empty at first: there is a sample every 10 s."""
    history = rest.call("GET", "/history", 200).json()
    assert all(len(row) == len(history["times"])
               for row in history["packets"].values())


def test_histograms(rest):
    rest.call("GET", "/status", 200)
    text = rest.call("GET", "/metrics", 200).text
    buckets = re.findall(r'tof_api_seconds_bucket\{le="([^"]+)"\} (\d+)', text)
    counts = [int(n) for _, n in buckets]
    assert buckets[-1][0] == "+Inf" and counts == sorted(counts)
    assert f"tof_api_seconds_count {counts[-1]}" in text
    assert counts[-1] > 0
    assert float(re.search("tof_api_seconds_sum (.*)", text)[1]) > 0


def test_metrics(rest):
    answer = rest.call("GET", "/metrics", 200)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4"
    types, names = {}, []
    for line in answer.text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types
            types[name] = kind
        elif not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert float(value) >= 0
            names.append(name)
    assert len(set(names)) == len(names)
    assert all(re.sub("_(bucket|sum|count)$", "", name.split("{")[0]) in types
               or name.split("{")[0] in types for name in names)
    assert {"counter", "gauge", "histogram"} == set(types.values())
    for name, kind in types.items():
        assert name.endswith("_total") == (kind == "counter")


def test_head(rest):
    for path in ("/service", "/session", "/status", "/metrics", "/peer",
                 "/swagger.json"):
        answer = rest.call("HEAD", path, 200)
        assert answer.content == b""
        assert int(answer.headers["Content-Length"]) > 1
    assert rest.call("HEAD", "/nothing", 404).content == b""


def test_every_operation_is_there(rest):
    """What the document describes is not 405, and what it does not is."""
    described = set(rest.contract.operations())
    for template in rest.contract.document["paths"]:
        path = re.sub("{[a-z]+}", "0", template)
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            answer = rest.raw(method, path, b"{}")
            assert (answer.status_code != 405) == (
                (method, template) in described)


@pytest.mark.parametrize("module, body, text", [
    ("nothing", '{"level": "dbg"}', "there is no such module"),
    ("rest", '{"level": "loud"}', "the level must be "),
    ("rest", '{"level": 4}', "level: must be a string, not a number"),
    ("rest", '{"level": null}', "level: must be a string, not null"),
    ("rest", "{}", "the body must have the member level alone"),
    ("rest", '{"level": "dbg", "x": 1}', "the member level alone"),
    ("rest", "[]", "the body: must be an object, not an array"),
    ("rest", '{"level": "dbg"', "the body is not JSON"),
    ("rest", "", "the body is empty"),
], ids=str)
def test_a_log_level_that_is_none(rest, module, body, text):
    answer = rest.call("PUT", f"/log/{module}", 400, data=body)
    assert text in answer.json()["detail"]


def test_log_levels(rest):
    assert rest.call("GET", "/log", 200).json()["rest"] == "info"
    assert rest.call("PUT", "/log/rest", 200,
                     json={"level": "warn"}).json() == {"rest": "warn"}
    levels = rest.call("GET", "/log", 200).json()
    assert levels["rest"] == "warn" and levels["poll_loop"] == "info"
    rest.call("PUT", "/log/any", 200, json={"level": "info"})
    assert set(rest.call("GET", "/log", 200).json().values()) == {"info"}


def test_hundred_clients(rest, driver):
    def life(i):
        own = Rest(rest.url, rest.contract)
        kind = "slow-" if i % 2 else "fast-"
        own.add(f"{kind}{i}", f"203.0.113.{i + 1}")
        own.call("GET", f"/service/{kind}{i}", 200)
        own.call("GET", "/session?limit=10000&ue=10.45.0.2", 200)
        own.call("DELETE", f"/service/{kind}{i}", 200)
        own.session.close()

    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        for _ in pool.map(life, range(100)):
            pass
    # Slow changes wait side by side, not one after the other.
    assert time.monotonic() - started < 50 * 0.6 / 2
    assert rest.call("GET", "/healthz", 200)


def test_answers_seen(connected, driver):
    """Last: every answer of the document has been met, but for those that need
    a data plane (test_contract.py)."""
    missing = set(connected.contract.answers()) - connected.contract.seen
    assert {(template, status) for _, template, status in missing} <= {
        ("/explain", 200), *(("/trace", status)
                             for status in (200, 400, 404, 409, 503))}
