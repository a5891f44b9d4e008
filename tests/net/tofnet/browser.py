# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium: tests/page/driver.js at the other end of pipes."""

import json
import os
import shutil
import subprocess

import pytest

from .netns import command_in
from .wait import PATIENCE

DRIVER = os.path.normpath(os.path.join(os.path.dirname(__file__),
                                       "../../page/driver.js"))
MODULES = os.path.join(os.environ.get("TOF_NODE_CACHE",
                                      "/var/cache/tof-node"), "node_modules")
SECONDS = 15 * PATIENCE         # For whatever is waited for.


class Browser:
    """All other attributes are the driver's calls: browser.click("a")."""

    def __init__(self, ns=None):
        chromium = shutil.which("chromium")
        if not chromium or not os.path.isdir(f"{MODULES}/playwright-core"):
            pytest.skip("no chromium, or no playwright-core: "
                        "\"scripts/bootstrap.sh --test\" installs both")
        argv = ["node", DRIVER, chromium]
        self.process = subprocess.Popen(
            command_in(ns, *argv) if ns else argv, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**os.environ, "NODE_PATH": MODULES})

    def _call(self, name, *args):
        self.process.stdin.write(json.dumps([name, *args]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the browser has ended: {self.process.poll()}"
        answer = json.loads(line)
        assert "error" not in answer, f"{name} {args}: {answer['error']}"
        return answer.get("value")

    def __getattr__(self, name):
        return lambda *args: self._call(name, *args)

    def open(self, url, width=1280, height=900, scheme="light"):
        """The status of the answer."""
        return self._call("open", url, {
            "viewport": {"width": width, "height": height},
            "colorScheme": scheme, "timeout": SECONDS * 1000})

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=SECONDS)
