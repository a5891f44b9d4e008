# SPDX-License-Identifier: GPL-3.0-or-later
"""The page for people, in a headless Chromium.

What only needs the API is tested with rest_driver; a UE, an App that is dead
and the last hour with a lab."""

import contextlib
import json

import pytest
import requests
from restdriver import Driver, Rest

from tofnet import packet as p
from tofnet.browser import Browser
from tofnet.service import asks, diverted
from tofnet.wait import wait_until

N_SESSIONS = 300
UE = "10.45.31.1"
TOKEN = "s3cret-token"
EDGE = {"name": "edge", "serviceIP": "198.51.100.10",
        "applicationIP": "192.168.100.10"}


@contextlib.contextmanager
def opened(ns=None):
    """A browser whose pages have done nothing wrong in the end."""
    browser = Browser(ns)
    try:
        yield browser
        assert browser.faults() == []
    finally:
        browser.close()


@pytest.fixture(scope="module")
def shared():
    with opened() as browser:
        yield browser


@pytest.fixture(scope="module")
def server():
    with Driver("-s", str(N_SESSIONS)) as running:
        yield running


@pytest.fixture
def rest(server):
    api = Rest(f"http://127.0.0.1:{server.port}")
    yield api
    for service in api.services():
        api.call("DELETE", "/service/" + service["name"], 200)


@pytest.fixture
def page(shared, rest):
    assert shared.open(rest.url) == 200
    shared.see("#health", "ok")
    yield shared
    assert shared.faults() == []


def fill(page, **fields):
    for name, text in fields.items():
        page.fill(f"#service-form [name={name}]", text)


def row_of(page, name):
    page.see("#service-rows td:first-child", name)
    return f'#service-rows tr:has(td:text-is("{name}"))'


# Services.

def test_a_service_is_registered_by_clicking(page, rest):
    fill(page, **EDGE)
    page.click("#service-submit")
    page.see("#service-done", "edge is in force.")
    assert "198.51.100.10" in page.text(row_of(page, "edge"))
    assert rest.services() == [EDGE]


def test_a_service_is_changed_by_clicking(page, rest):
    rest.add("edge", "198.51.100.10")
    page.click(row_of(page, "edge") + " button:text('Change')")
    page.see("#service-form-title", "Change edge")
    fill(page, name="moved", applicationIP="192.168.100.11")
    page.click("#service-submit")
    row_of(page, "moved")
    assert rest.services() == [dict(EDGE, name="moved",
                                    applicationIP="192.168.100.11")]


def test_a_service_with_several_apps_is_changed_by_clicking(page, rest):
    apps = [{"ip": "192.168.100.10", "weight": 3},
            {"ip": "192.168.100.11", "weight": 1}]
    several = {"name": "edge", "serviceIP": "198.51.100.10",
               "applications": apps}
    rest.call("POST", "/service", 200, json=several)
    page.click(row_of(page, "edge") + " button:text('Change')")
    page.see("#service-form-title", "Change edge")
    fill(page, name="moved")
    page.click("#service-submit")
    row_of(page, "moved")
    assert rest.services() == [dict(several, name="moved")]
    page.click(row_of(page, "moved") + " button:text('Change')")
    fill(page, applicationIP="192.168.100.10, 192.168.100.12=0")
    page.click("#service-submit")
    page.see("#service-done", "moved is in force.")
    assert rest.services()[0]["applications"] == [
        {"ip": "192.168.100.10", "weight": 1},
        {"ip": "192.168.100.12", "weight": 0}]


def test_a_service_is_deleted_after_a_question(page, rest):
    rest.add("edge", "198.51.100.10")
    delete = row_of(page, "edge") + " button:text('Delete')"
    page.click(delete)
    page.click("#delete-dialog button[value=no]")
    assert len(rest.services()) == 1
    page.click(delete)
    page.click("#delete-dialog button[value=yes]")
    page.gone("#service-rows td", "edge")
    assert rest.services() == []


@pytest.mark.parametrize("changes, status", [
    ({"serviceIP": "224.0.0.1"}, 400), ({}, 409), ({"name": "down-1"}, 503)])
def test_the_apis_own_words_tell_what_is_wrong(page, rest, changes, status):
    rest.add("other", EDGE["serviceIP"] if status == 409 else "203.0.113.1")
    said = rest.call("POST", "/service", status, json={**EDGE, **changes})
    fill(page, **{**EDGE, **changes})
    page.click("#service-submit")
    page.see("#service-problem", said.json()["detail"])
    assert len(rest.services()) == 1


def test_what_others_say_stays_text(page, rest):
    """A problem's text has what the client has sent."""
    fill(page, **dict(EDGE, serviceIP="<img src=x onerror=alert(1)>"))
    page.click("#service-submit")
    page.see("#service-problem", "serviceIP")
    assert page.count("#service-problem *") == 0


def test_services_are_shown_by_pages(page, rest):
    for i in range(30):
        rest.add(f"svc-{i:02}", f"198.51.100.{i + 1}")
    page.see("#service-rows td", "svc-19")
    assert page.count("#service-rows tr") == 20
    page.click("#service-pages button:text('Next')")
    page.see("#service-rows td", "svc-29")
    assert page.count("#service-rows tr") == 10
    page.click("#service-pages button:text('Back')")
    page.see("#service-rows td", "svc-00")


# Sessions and peers.

def test_sessions_are_shown_by_pages(page):
    page.see("#session-caption", "25 sessions, and more")
    first = page.text("#session-rows tr:first-child")
    page.click("#session-pages button:text('Next')")
    page.see("#session-pages", "Back")
    wait_until(lambda: page.text("#session-rows tr:first-child") != first)


HOLD_FIRST_PAGES = """(() => {
  const ask = window.fetch;
  let release;
  window.held = 0;
  const until = new Promise(resolve => { release = resolve; });
  window.release = () => release();
  window.fetch = async (path, ...more) => {
    const answer = await ask(path, ...more);
    if (path.startsWith("/session") && !path.includes("cursor")) {
      window.held++;
      await until;
    }
    return answer;
  };
})()"""


def test_a_page_is_not_replaced_by_an_answer_that_is_late(page):
    page.see("#session-caption", "25 sessions, and more")
    page.run(HOLD_FIRST_PAGES)
    wait_until(lambda: page.run("window.held") > 0)
    page.click("#session-pages button:text('Next')")
    page.see("#session-caption", "page 2")
    page.run("window.release()")
    page.run("new Promise(resolve => setTimeout(resolve))")
    assert "page 2" in page.text("#session-caption")


def test_a_ue_is_searched(page):
    page.fill("#session-form [name=ue]", "10.45.0.2")
    page.click("#session-form button")
    page.see("#session-caption", "1 session")
    assert "established" in page.text("#session-rows tr")
    page.fill("#session-form [name=ue]", "nobody")
    page.click("#session-form button")
    page.see("#session-problem", "The query's ue must be an IP address")
    assert page.count("#session-rows tr") == 0


def test_sessions_are_searched_by_state(page):
    page.select("#session-form [name=state]", "stale")
    page.click("#session-form button")
    page.gone("#session-rows td:nth-child(2)", "embryonic")
    assert page.count("#session-rows td:nth-child(2)") == 25


def test_peers_are_shown(page):
    page.see("#peer-rows", "10.1.0.1")
    assert page.count("#peer-rows tr") == 18


# Who reads it, and with what.

def has_focus(page, selector):
    return page.run(f"document.activeElement.matches({json.dumps(selector)})")


def tab_to(page, selector):
    """By the keyboard alone, from wherever the focus is."""
    for _ in range(150):
        page.press("Tab")
        if has_focus(page, selector):
            return
    raise AssertionError(f"no Tab leads to {selector}")


def test_the_keyboard_alone_suffices(page, rest):
    tab_to(page, "#service-form [name=name]")
    for text in EDGE.values():
        page.type(text)
        page.press("Tab")
    page.press("Enter")
    row_of(page, "edge")
    tab_to(page, '#service-rows button[aria-label^="Delete"]')
    page.press("Enter")
    tab_to(page, "#delete-dialog button[value=yes]")
    page.press("Enter")
    page.gone("#service-rows td", "edge")
    assert rest.services() == []
    tab_to(page, "#session-form [name=ue]")
    page.type("10.45.0.2")
    page.press("Enter")
    page.see("#session-caption", "1 session")
    tab_to(page, "#legend-packets button")
    page.press("Space")
    assert page.count("#legend-packets [aria-pressed=false]") == 1


def test_who_types_in_a_row_keeps_the_focus(page, rest):
    """Lists are asked for anew all the time."""
    rest.add("edge", "198.51.100.10")
    row_of(page, "edge")
    tab_to(page, '#service-rows button[aria-label^="Change"]')
    rest.add("before", "198.51.100.9")
    row_of(page, "before")
    assert has_focus(page, '#service-rows tr:has(td:nth-child(1)) button')
    assert page.run("document.activeElement.closest('tr').cells[0]"
                    ".textContent") == "edge"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_390_pixels(shared, rest, scheme):
    rest.add("x" * 63, "2001:db8:1111:2222:3333:4444:5555:6666",
             "fd00:1111:2222:3333:4444:5555:6666:7777")
    shared.open(rest.url, 390, 800, scheme)
    row_of(shared, "x" * 63)
    shared.see("#session-rows", "10.45.0.1")
    assert shared.run("document.documentElement.scrollWidth") <= 390
    fill(shared, **EDGE)
    shared.click("#service-submit")
    row_of(shared, "edge")
    shared.open(rest.url + "/docs", 390, 800, scheme)
    assert shared.run("document.documentElement.scrollWidth") <= 390
    assert shared.faults() == []


CONTRAST = """(() => {
  const light = text => {
    const [r, g, b] = text.match(/[0-9.]+/g).map(Number).map(
      c => c / 255).map(c => c <= 0.03928 ? c / 12.92
                                          : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = element => {
    const own = getComputedStyle(element).backgroundColor;
    return own === "rgba(0, 0, 0, 0)" && element.parentElement
      ? background(element.parentElement) : own;
  };
  return [...document.querySelectorAll(
      "p, a, b, th, td, dt, dd, label, button, input, h1, h2, figcaption")]
    .filter(element => element.offsetParent)
    .map(element => {
      const a = light(getComputedStyle(element).color);
      const b = light(background(element));
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }).reduce((a, b) => Math.min(a, b));
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(page, scheme):
    """Contrast of at least 4.5 to 1 (WCAG 2.1, 1.4.3)."""
    page.dress(scheme)
    dark = page.run("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, dark[4:-1].split(","))) < 128) == (scheme == "dark")
    assert page.run(CONTRAST) >= 4.5


# Access.

def test_a_token_is_asked_for_and_kept_for_the_tab(shared, tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    with Driver("-t", str(file)) as running:
        url = f"http://127.0.0.1:{running.port}"
        shared.open(url)
        shared.fill("#token-form [name=token]", "wrong")
        shared.click("#token-form button")
        shared.see("#token-problem", "not right")
        shared.fill("#token-form [name=token]", TOKEN)
        shared.click("#token-form button")
        shared.see("#health", "ok")
        assert shared.run("[localStorage.length, document.cookie, "
                          "sessionStorage.length]") == [0, "", 1]
        shared.open(url)
        shared.see("#token-title", "Token")
        assert shared.faults() == []


def test_who_gives_no_token_is_left_alone(shared, tmp_path):
    file = tmp_path / "token"
    file.write_text(TOKEN)
    with Driver("-t", str(file)) as running:
        shared.open(f"http://127.0.0.1:{running.port}")
        shared.see("#token-title", "Token")
        shared.fill("#token-form [name=token]", TOKEN)
        shared.press("Escape")
        shared.see("#lost", "A token is needed.")
        shared.see("#health", "no token")
        # For two rounds of what is asked for most often.
        shared.run("new Promise(resolve => setTimeout(resolve, 5000))")
        assert shared.count("dialog[open]") == 0
        shared.click("#sign-in")
        shared.see("#token-title", "Token")
        shared.click("#token-form button:text('Cancel')")
        shared.see("#lost", "A token is needed.")
        shared.click("#sign-in")
        shared.fill("#token-form [name=token]", TOKEN)
        shared.press("Enter")
        shared.see("#health", "ok")
        shared.see("#sign-out", "Forget the token")
        wait_until(lambda: shared.count("#lost[hidden]"))
        assert shared.count("#sign-in[hidden]") == 1
        assert shared.faults() == []


def test_it_says_that_tofd_has_gone(shared):
    with Driver("-s", str(N_SESSIONS)) as running:
        shared.open(f"http://127.0.0.1:{running.port}")
        shared.see("#session-caption", "25 sessions, and more")
    shared.see("#lost", "tofd does not answer.")
    shared.see("#health", "no answer")
    shared.click("#session-form button")
    shared.see("#session-problem", "tofd does not answer.")
    shared.click("#session-pages button:text('Next')")
    assert shared.faults() == []


def test_no_other_script_or_style_is_run(page):
    """By the Content-Security-Policy; what breaks it is reported."""
    page.run("""(() => {
      window.reports = [];
      document.addEventListener("securitypolicyviolation",
        event => reports.push(event.effectiveDirective));
      const script = document.createElement("script");
      script.textContent = "window.was_run = true";
      const style = document.createElement("style");
      style.textContent = "body { display: none }";
      document.body.append(script, style);
      document.body.setAttribute("style", "color: red");
    })()""")
    wait_until(lambda: page.run("reports.length") == 3)
    assert page.run("window.was_run === undefined")
    assert len(page.faults()) == 3


@pytest.mark.parametrize("path", ["/", "/docs", "/web/page.js"])
@pytest.mark.parametrize("headers", [
    {"Host": "evil.example"}, {"Origin": "http://evil.example"},
    {"Sec-Fetch-Site": "cross-site"}], ids=lambda h: next(iter(h)))
def test_other_sites_do_not_get_the_page(rest, path, headers):
    answer = requests.get(rest.url + path, headers=headers, timeout=15)
    assert answer.status_code == 403


# With a lab.

@pytest.fixture(scope="module")
def beside(lab):
    with opened("lab-tof") as browser:
        yield browser


@pytest.fixture
def tof(beside, net, api):
    beside.open("http://127.0.0.1:8080/")
    beside.see("#health", "ok")
    yield beside
    assert beside.faults() == []


@contextlib.contextmanager
def dead_app(lab):
    """Its host is there, and nothing answers."""
    lab.run("lab-app", "nft", "add table inet down; add chain inet down in "
            "{ type filter hook input priority 0; }; add rule inet down in "
            "udp dport 7 drop")
    try:
        yield
    finally:
        lab.run("lab-app", "nft", "delete table inet down")


def add_service(tof):
    fill(tof, name="svc", serviceIP=EDGE["serviceIP"],
         applicationIP=EDGE["applicationIP"])
    tof.click("#service-submit")
    tof.see("#service-done", "svc is in force.")


def test_a_ue_appears(tof, net, api):
    add_service(tof)
    assert [s["name"] for s in api.services()] == ["svc"]
    tof.see("#session-caption", "No session")
    diverted(net, UE)
    tof.see("#session-rows td", UE)
    tof.see("#session-rows td", "established")
    tof.see("#peer-rows td", "10.1.0.1")


def explain_by_clicking(tof, bearer, text):
    def named():
        asks(bearer)            # A UE that is silent is another reason.
        tof.click('#session-rows button[aria-label^="Explain"]')
        tof.see("#explanation h3", f"{UE} and svc")
        return text in tof.text("#explanation .reason")

    wait_until(named, 15, f"explain to say {text}", interval=0.5)


def test_explain_names_an_app_that_is_dead(lab, tof, net):
    with dead_app(lab):
        add_service(tof)
        bearer = net.bearer(UE)
        asks(bearer)
        tof.see("#session-rows td", UE)
        tof.fill("#explain-form [name=service]", "svc")
        explain_by_clicking(tof, bearer,
                            "The App of service svc has not answered")


def drawn(tof, name):
    """Pixels of a plot that are not empty."""
    return tof.run(f"""(() => {{
      const canvas = document.getElementById("plot-{name}");
      const data = canvas.getContext("2d").getImageData(
        0, 0, canvas.width, canvas.height).data;
      return data.filter((value, i) => i % 4 === 3 && value > 0).length;
    }})()""")


def test_the_last_hour_has_what_was_diverted(tof, net, api):
    api.register()
    before = len(api.get("/history").json["times"])
    # It counts from the first sample on at which it is there.
    wait_until(lambda: len(api.get("/history").json["times"]) > before, 30)
    b = diverted(net, UE)
    for i in range(50):
        b.uplink(p.ip_udp(UE, EDGE["serviceIP"], b"x" * 1000, 5000, 7))

    def shown():
        history = api.get("/history").json
        return (sum(history["packets"]["toApps"]) >= 50
                and any(sum(service["bytesUp"]) >= 50 * 1000
                        for service in history["services"])
                and any(history["learned"]["median"]) and history)

    history = wait_until(shown, 30, "it to be in the last hour")
    service, = history["services"]
    assert service["name"] == "svc"
    lengths = {len(row) for row in (
        history["times"], *history["packets"].values(),
        *history["learned"].values(), service["bytesUp"],
        service["bytesDown"], *history["others"].values())}
    assert len(lengths) == 1
    tof.see("#legend-services", "svc: ")
    assert all(drawn(tof, name) > 1000
               for name in ("packets", "learned", "services"))
