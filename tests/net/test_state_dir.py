# SPDX-License-Identifier: GPL-3.0-or-later
"""tofd alone, whose state_dir cannot be written when it starts: it runs, says
so, and takes it when that is possible."""

import os
import subprocess

import pytest

from tofnet import netns
from tofnet.lab import TOP, Api
from tofnet.netns import command_in, run_in
from tofnet.wait import wait_until

NS = f"sd{os.getpid() % 100000}"
CONFIG = """s1u: {{enb: enb0, sgw: sgw0}}
apps: {{interface: app0, address: [192.168.100.1/24], namespace: {ns}app}}
datapath: xdp
run_dir: {run}
state_dir: {state}
api: {{listen: "127.0.0.1:8080"}}
"""


@pytest.fixture
def start(tmp_path):
    """start(state): a tofd with that state_dir; gives its API."""
    netns.add(NS)
    running = []

    def run(state):
        config = tmp_path / "tof.yaml"
        config.write_text(CONFIG.format(ns=NS, run=tmp_path / "run",
                                        state=state))
        running.append(subprocess.Popen(
            command_in(NS, f"{TOP}/tofd", "-c", config),
            stderr=subprocess.DEVNULL))
        return Api(NS)
    yield run
    for process in running:
        process.terminate()
        assert process.wait(10) == 0
    netns.delete(NS)


def journal(api):
    return wait_until(lambda: api.part("journal"), what="tofd's API")


def test_read_only_directory(start, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    run_in(None, "mount", "--bind", state, state)
    run_in(None, "mount", "-o", "remount,ro,bind", state)
    try:
        api = start(state)
        part = journal(api)
        assert not part["ready"] and "Read-only" in part["detail"]
    finally:
        run_in(None, "umount", "-l", state)
    wait_until(lambda: journal(api)["ready"], 10, "the journal")
    assert (state / "sessions.journal").exists()


def test_directory_that_cannot_be_made(start, tmp_path):
    above = tmp_path / "above"
    above.mkdir()
    run_in(None, "mount", "-t", "tmpfs", "-o", "ro", "none", above)
    try:
        api = start(above / "state")
        part = journal(api)
        assert not part["ready"] and "No such file" in part["detail"]
        run_in(None, "mount", "-o", "remount,rw", above)
        (above / "state").mkdir()
        wait_until(lambda: journal(api)["ready"], 10, "the journal")
    finally:
        run_in(None, "umount", "-l", above)
