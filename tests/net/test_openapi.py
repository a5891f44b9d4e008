# SPDX-License-Identifier: GPL-3.0-or-later
"""The OpenAPI file is one that tools of others have nothing to say of."""

import json
import os
import subprocess

import pytest

from tofnet.browser import MODULES
from tofnet.lab import TOP
from tofnet.wait import PATIENCE

FILE = os.path.join(TOP, "swagger/tof.yaml")


def run(tool, *args):
    """Its exit status and what it says."""
    if not os.path.exists(f"{MODULES}/.bin/{tool}"):
        pytest.skip(f"no {tool}: \"scripts/bootstrap.sh --test\" installs it")
    done = subprocess.run(
        [f"{MODULES}/.bin/{tool}", *args], text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        timeout=120 * PATIENCE,
        env={**os.environ, "REDOCLY_TELEMETRY": "off",
             "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"})
    return done.returncode, done.stdout


def test_spectral_has_nothing_to_say(tmp_path):
    rules = tmp_path / "spectral.json"
    rules.write_text(json.dumps({"extends": ["spectral:oas"]}))
    status, said = run("spectral", "lint", "--fail-severity=hint",
                       "-r", str(rules), FILE)
    assert status == 0 and "No results" in said, said


def test_redocly_has_nothing_to_say():
    status, said = run("redocly", "lint", "--extends=recommended", FILE)
    assert status == 0 and "warning" not in said, said
