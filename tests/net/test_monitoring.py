# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics as Prometheus wants them; alert rules and dashboard in contrib/, each
of whose queries a Prometheus asks of a TOF."""

import json
import os
import re
import shutil
import subprocess
import urllib.parse

import pytest

from tofnet.lab import TOP, Api
from tofnet.netns import command_in
from tofnet.service import diverted
from tofnet.wait import wait_until

CACHE = os.environ.get("TOF_PROMETHEUS_CACHE", "/var/cache/tof-prometheus")
RULES = os.path.join(TOP, "contrib/prometheus/tof-alerts.yml")
DASHBOARD = os.path.join(TOP, "contrib/grafana/tof.json")
PORT = 9099


def tool(name):
    found = shutil.which(name, path=f"{CACHE}/usr/bin:{os.environ['PATH']}")
    if not found:
        pytest.skip(f"no {name}: \"scripts/bootstrap.sh --test\" fetches it")
    return found


def promtool(*args, text=None):
    """What it has to say; it says nothing of what is right."""
    done = subprocess.run([tool("promtool"), *args], input=text, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout


def panels():
    """Title, query and description of what the dashboard asks."""
    with open(DASHBOARD, encoding="utf-8") as f:
        dashboard = json.load(f)
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield (panel["title"], target["expr"].replace(
                "$__rate_interval", "30s").replace("$instance", ".*"),
                panel.get("description", ""))


def conditions():
    """Alerts, each with its query up to the comparison."""
    with open(RULES, encoding="utf-8") as f:
        text = f.read()
    for alert, expr in re.findall(
            r"- alert: (\w+)\n\s+expr: (?:>-\n)?((?:.|\n)*?)"
            r"\n\s+(?:for|labels):", text):
        yield alert, re.sub(r" (>|==) [0-9.]+$", "",
                            re.sub(r"\s+", " ", expr.strip()))


def test_metrics_are_as_prometheus_wants_them(net, api):
    api.register()
    diverted(net, "10.45.32.1")
    assert promtool("check", "metrics", text=api.get("/metrics").text) == ""


def test_rules_and_queries_are_well_formed(tmp_path):
    assert "SUCCESS: 15 rules found" in promtool("check", "rules", RULES)
    rules = tmp_path / "panels.yml"
    rules.write_text(json.dumps({"groups": [{"name": "panels", "rules": [
        {"record": f"panel:query:{i}", "expr": expr}
        for i, (_, expr, _) in enumerate(panels())]}]}))
    assert "SUCCESS" in promtool("check", "rules", str(rules))


class Prometheus:
    """One beside tofd, in its namespace, that asks once a second."""

    def __init__(self, work):
        config = work / "prometheus.yml"
        config.write_text(json.dumps({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [RULES],
            "scrape_configs": [{"job_name": "tof", "static_configs": [
                {"targets": ["127.0.0.1:8080"]}]}]}))
        self.api = Api(port=PORT)
        self.process = subprocess.Popen(command_in(
            "lab-tof", tool("prometheus"), f"--config.file={config}",
            f"--storage.tsdb.path={work}/data",
            f"--web.listen-address=127.0.0.1:{PORT}"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, query):
        answer = self.api.get("/api/v1/query?query="
                              + urllib.parse.quote(query)).json
        assert answer["status"] == "success", (query, answer)
        return answer["data"]["result"]

    def rules(self):
        groups = self.api.get("/api/v1/rules").json["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def test_each_query_has_an_answer(net, api, tmp_path, datapath):
    """And each rule is evaluated."""
    api.register()
    with Prometheus(tmp_path) as prometheus:
        wait_until(lambda: prometheus.ask("up == 1"), 30, "Prometheus")
        diverted(net, "10.45.32.2")
        wait_until(lambda: prometheus.ask(
            "increase(tof_learn_seconds_count[30s]) > 0"), 30, "a scrape")

        def unanswered():
            return [(title, query) for title, query, hint in panels()
                    if f"Empty with datapath {datapath}." not in hint
                    and not prometheus.ask(query)] + [
                        (alert, query) for alert, query in conditions()
                        if not prometheus.ask(query)]

        wait_until(lambda: not unanswered() or print(unanswered()), 20,
                   "each query to have an answer", interval=1)
        rules = prometheus.rules()
        assert len(rules) == len(list(conditions())) == 15
        assert {rule["health"] for rule in rules} == {"ok"}
