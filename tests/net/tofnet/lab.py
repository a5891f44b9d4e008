# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab (scripts/lab.sh) and the TOF's REST API in it."""

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
from dataclasses import dataclass

from . import netns, packet
from .site import HERE
from .wait import PATIENCE, wait_until

TOP = os.path.normpath(os.path.join(os.path.dirname(__file__), "../../.."))
LAB = os.path.join(TOP, "scripts/lab.sh")
STATE = "/run/tof-lab"
SERVICE_IP, SERVICE_IP6 = "198.51.100.10", "2001:db8:5::10"
APP, APP6 = "192.168.100.10", "fd00:100::10"


def lab_sh(*args, check=True, timeout=900, env=None, site=HERE):
    """Runs lab.sh; its output goes through pipes and comes back."""
    p = subprocess.run(site.command(LAB, *args), text=True,
                       timeout=timeout * PATIENCE,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, check=False,
                       env={**os.environ, **(env or {})})
    if check and p.returncode:
        raise AssertionError(f"lab.sh {' '.join(map(str, args))}: "
                             f"exit {p.returncode}\n{p.stdout}")
    return p


class _Connection(http.client.HTTPConnection):
    """HTTP by a socket that was made in a namespace."""

    def __init__(self, ns, host, port, timeout):
        super().__init__(host, port, timeout=timeout)
        self._ns = ns

    def connect(self):
        self.sock = netns.call_in(self._ns, socket.create_connection,
                                  (self.host, self.port), self.timeout)


@dataclass
class Answer:
    status: int
    headers: dict
    text: str

    @property
    def json(self):
        return json.loads(self.text)


class Api:
    """The REST API, as a client in lab-tof sees it."""

    def __init__(self, ns="lab-tof", host="127.0.0.1", port=8080, timeout=10):
        self.ns, self.host, self.port = ns, host, port
        self.timeout = timeout * PATIENCE

    def request(self, method, path, body=None, headers=None):
        """'body': bytes or str as they are, anything else as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        conn = _Connection(self.ns, self.host, self.port, self.timeout)
        try:
            conn.request(method, path, body, headers)
            r = conn.getresponse()
            text = r.read().decode("utf-8", "replace")
            return Answer(r.status, {k.lower(): v for k, v in r.getheaders()},
                          text)
        finally:
            conn.close()

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def post(self, path, body, **kw):
        return self.request("POST", path, body, **kw)

    def put(self, path, body, **kw):
        return self.request("PUT", path, body, **kw)

    def delete(self, path, **kw):
        return self.request("DELETE", path, **kw)

    # What most tests want.

    def register(self, name="svc", service=SERVICE_IP, app=APP, chain=()):
        answer = self.post("/service", {
            "name": name, "serviceIP": service, "applicationIP": app,
            **({"chain": list(chain)} if chain else {})})
        assert answer.status == 200, answer
        return answer.json

    def unregister(self, name="svc"):
        answer = self.delete(f"/service/{name}")
        assert answer.status == 200, answer

    def services(self):
        return self.get("/service").json

    def sessions(self, **query):
        """All sessions, page by page."""
        out, query = [], {k: v for k, v in query.items() if v is not None}
        while True:
            path = "/session" + ("?" + "&".join(
                f"{k}={v}" for k, v in query.items()) if query else "")
            answer = self.get(path)
            out += answer.json
            cursor = answer.headers.get("x-next-cursor")
            if not cursor:
                return out
            query["cursor"] = cursor

    def session_of(self, ue):
        """The one session of a UE address, or None."""
        found = self.sessions(ue=ue)
        assert len(found) <= 1, found
        return found[0] if found else None

    def wait_proved(self, ue, timeout=5):
        """Until every bearer of that UE is proved; gives the session."""
        def proved():
            s = self.session_of(ue)
            return s if s and s["bearers"] and all(
                b["proved"] for b in s["bearers"]) else None
        return wait_until(proved, timeout, f"{ue} to be proved")

    def healthy(self):
        try:
            return self.get("/healthz").status == 200
        except OSError:
            return False

    def part(self, name):
        """What GET /status says of it."""
        return next(part for part in self.get("/status").json["parts"]
                    if part["name"] == name)

    def metrics(self):
        """name{labels} -> value."""
        out = {}
        for line in self.get("/metrics").text.splitlines():
            if line and not line.startswith("#"):
                key, value = line.rsplit(" ", 1)
                out[key] = float(value)
        return out

    def clean(self):
        """No services, no sessions: the state between tests."""
        for service in self.services():
            self.delete(f"/service/{service['name']}")
        for session in self.sessions():
            self.delete(f"/session/{session['id']}")


def changed(text, changes):
    for old, new in changes:
        text, n = re.subn(old, new, text)
        assert n, f"no {old!r} in {text}"
    return text


class Lab:
    """A lab that is up, with tofd; here, or at another site (tofnet.site)."""

    def __init__(self, *options, site=HERE):
        self.options = options
        self.site = site
        self.state = site.path(STATE)
        self.api = Api(site.ns("lab-tof"))

    def sh(self, *args, **kw):
        return lab_sh(*args, site=self.site, **kw)

    def up(self):
        self.sh("up", *self.options)
        return self

    def down(self):
        self.sh("down", check=False)

    def tofd(self, verb):
        self.sh("tofd", verb)

    def ovs(self, verb):
        self.sh("ovs", verb)

    @contextlib.contextmanager
    def configured(self, *changes):
        """With a tofd whose configuration differs: (regular expression,
        new text) each.  Afterwards all is as before."""
        saved = self.config()
        self.restart_with(changed(saved, changes))
        try:
            yield self
        finally:
            self.restart_with(saved)

    @contextlib.contextmanager
    def reloaded(self, *changes):
        """The same, but by the tofd that runs, which is asked to reload."""
        saved = self.config()
        self.write_config(changed(saved, changes))
        try:
            self.reload()
            yield self
        finally:
            self.write_config(saved)
            self.reload()

    def reload(self):
        """When it returns tofd has done what it is asked for, and is well."""
        self.signal("HUP")
        wait_until(lambda: not self._hup_is_pending(), 15, "the reload")
        wait_until(self.api.healthy, 15, "tofd")

    def _hup_is_pending(self):
        with open(f"/proc/{self.pid()}/status", encoding="ascii") as f:
            return int(re.search(r"ShdPnd:\s*(\S+)", f.read())[1], 16) & 1

    @contextlib.contextmanager
    def stopped(self):
        """With a tofd that does not run for a while (SIGSTOP)."""
        self.signal("STOP")
        try:
            yield
        finally:
            self.signal("CONT")

    def config(self):
        with open(self._config_path(), encoding="utf-8") as f:
            return f.read()

    def _config_path(self):
        with open(f"{self.state}/config-path", encoding="utf-8") as f:
            return self.site.path(f.read().strip())

    def write_config(self, config):
        with open(self._config_path(), "w", encoding="utf-8") as f:
            f.write(config)

    def restart_with(self, config):
        """With this text as configuration."""
        self.write_config(config)
        self.tofd("restart")
        wait_until(self.api.healthy, 15, "tofd")

    def run(self, ns, *argv, **kw):
        return netns.run_in(self.site.ns(ns), *argv, **kw)

    def log(self, name="tofd"):
        with open(f"{self.state}/{name}.log", encoding="utf-8",
                  errors="replace") as f:
            return f.read()

    def mended(self):
        """A function that says whether tofd has found something wrong since,
        and all is well again."""
        seen = len(self.log())
        return lambda: "not ready" in self.log()[seen:] and self.api.healthy()

    def pid(self, name="tofd"):
        """At that site: this process may know it by another number."""
        with open(f"{self.state}/pid/{name}", encoding="ascii") as f:
            return int(f.read().split()[0])

    def signal(self, name, process="tofd"):
        netns.run_in(None, *self.site.command(
            "kill", f"-{name}", self.pid(process)))


def app_sends(ue, text, dport=5000, sport=7, app=APP, ns="lab-app"):
    """The App's host sends to a UE; as part of the flow that is in conntrack,
    if there is one."""
    def send():
        family = socket.AF_INET6 if ":" in ue else socket.AF_INET
        s = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_UDP)
        s.sendto(packet.udp(app, ue, text, sport, dport), (ue, 0))
        s.close()
    netns.call_in(ns, send)


def ofctl(bridge, *args):
    """ovs-ofctl's output for a bridge of the lab's Open vSwitch."""
    with open(f"{STATE}/ovs-dir", encoding="utf-8") as f:
        tool = os.path.join(f.read().strip(), "bin/ovs-ofctl")
    verb, *rest = args
    return netns.run_in("lab-tof", tool, "-O", "OpenFlow15", verb,
                        f"unix:{STATE}/run/ovs/{bridge}.mgmt", *rest).stdout


def delete_flows(lab, bridge, flows):
    """Deletes a test's own flows, and waits until tofd has compared all flows
    for it: else that would take out what the next test puts there."""
    mended = lab.mended()
    ofctl(bridge, "del-flows", flows)
    wait_until(mended, 15, "tofd to have compared the flows")


def datapath():
    """The data path that tofd says it has: "ovs" or "xdp"."""
    return Api().get("/status").json["facts"]["datapath"].split(":")[0]


def flows(bridges=None):
    """Flows of bridges with their age, but for leases and statistics: of
    both; of none where Open vSwitch is not the data path."""
    out = {}
    if bridges is None:
        bridges = ("br-gtp", "br-tof") if datapath() == "ovs" else ()
    for bridge in bridges:
        for line in ofctl(bridge, "dump-flows").splitlines():
            if "table=20" in line or "cookie" not in line:
                continue
            fields = dict(f.split("=", 1) for f in line.strip().split(", ")
                          if "=" in f)
            rule = line[line.index("priority") if "priority" in line
                        else line.index("actions"):]
            out[bridge, fields["cookie"], fields.get("table"), rule] = float(
                fields["duration"].rstrip("s"))
    return out
