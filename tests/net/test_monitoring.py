# SPDX-License-Identifier: GPL-3.0-or-later
"""Alert rules and dashboard in contrib/."""

import json
import os
import shutil
import subprocess

import pytest

from tofnet.lab import TOP

CACHE = os.environ.get("TOF_PROMETHEUS_CACHE", "/var/cache/tof-prometheus")
RULES = os.path.join(TOP, "contrib/prometheus/tof-alerts.yml")
DASHBOARD = os.path.join(TOP, "contrib/grafana/tof.json")


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


def test_rules_and_queries_are_well_formed(tmp_path):
    assert "SUCCESS: 15 rules found" in promtool("check", "rules", RULES)
    rules = tmp_path / "panels.yml"
    rules.write_text(json.dumps({"groups": [{"name": "panels", "rules": [
        {"record": f"panel:query:{i}", "expr": expr}
        for i, (_, expr, _) in enumerate(panels())]}]}))
    assert "SUCCESS" in promtool("check", "rules", str(rules))
