# SPDX-License-Identifier: GPL-3.0-or-later
"""doc/OPERATE.md has all metrics that there are, and all reasons; and no
others."""

import os
import re

from tofnet.lab import TOP

REASONS = ("reason", "fate", "fault", "result", "what")     # Labels.
ELSEWHERE = {"ovs": "`xdp`:", "xdp": "`ovs`:"}


def rows(text, other):
    """The first cells of tables' rows, but for those of the other data path
    and of settings that the lab has not."""
    return {m[1] for m in re.finditer(r"(?m)^\| `(\w+)` \| (.*)", text)
            if not m[2].startswith((other, "only with"))}


def read_manual(datapath):
    """Metrics; and reasons by metric."""
    with open(os.path.join(TOP, "doc/OPERATE.md"), encoding="utf-8") as f:
        text = f.read()
    metrics, reasons = text.split("\n## Metrics\n")[1].split(
        "\n## Reasons\n")
    other = ELSEWHERE[datapath]
    names = rows(metrics, other)
    by_metric = {name: rows(part, other) - {*REASONS} for name, part in (
        part.split("\n", 1) for part in reasons.split("\n### ")[1:])}
    return names, {name: values for name, values in by_metric.items()
                   if name in names}


def read_metrics(api):
    text = api.get("/metrics").text
    names = set(re.findall(r"(?m)^# TYPE (\w+) ", text))
    by_metric = {}
    for name, labels in re.findall(r"(?m)^(\w+)\{(.*)\} ", text):
        for label, value in re.findall(r'(\w+)="([^"]*)"', labels):
            if label in REASONS:
                by_metric.setdefault(name, set()).add(value)
    return names, by_metric


def test_manual_has_all_metrics_and_reasons(api, datapath):
    names, reasons = read_manual(datapath)
    real_names, real_reasons = read_metrics(api)
    assert names == real_names
    assert reasons == real_reasons
