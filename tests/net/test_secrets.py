# SPDX-License-Identifier: GPL-3.0-or-later
"""What other users of this host can read of the TOF's."""

import os
import subprocess

import pytest

from tofnet.lab import TOP
from tofnet.service import answered
from tofnet.wait import wait_until

CONFIG = """\
s1u: {{enb: enb0, sgw: sgw0}}
apps: {{interface: app0, address: 192.168.100.1/24}}
{}
"""


def readable(directory):
    """Files there, at any depth, with a mode that lets others read or write.
    (A socket can only be connected to by who may write it.)"""
    return [path for folder, _, files in os.walk(directory)
            for path in (os.path.join(folder, name) for name in files)
            if os.lstat(path).st_mode & 0o006]


def test_files_are_not_for_others(lab, net, api):
    """The journal and usage records say who talks to whom."""
    api.register()
    answered(net.bearer("10.45.31.1"))
    state = os.path.join(lab.state, "state")
    wait_until(lambda: {"sessions.journal", "usage.state"} <= {
        *os.listdir(state)}, what="files of state")
    assert not readable(state)
    assert not readable(os.path.join(lab.state, "run"))


@pytest.fixture
def checked(tmp_path):
    """What tofd -t says of a token in a file of that mode."""
    def check(mode, owner=0):
        token, conf = tmp_path / "token", tmp_path / "tof.yaml"
        token.write_text("s3cret\n")
        token.chmod(mode)
        os.chown(token, owner, -1)
        conf.write_text(CONFIG.format(f"api: {{token_file: {token}}}"))
        done = subprocess.run([os.path.join(TOP, "tofd"), "-t", "-c", conf],
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=True)
        return done.stdout
    return check


@pytest.mark.parametrize("mode, owner, what", [
    (0o644, 0, "everybody on this host can read it"),
    (0o604, 0, "everybody on this host can read it"),
    (0o620, 0, "others can write it"), (0o602, 0, "others can write it"),
    (0o600, 65534, "it is another user's")], ids=str)
def test_a_secret_that_others_know_is_told_of(checked, mode, owner, what):
    assert "api.token_file: " in checked(mode, owner)
    assert what in checked(mode, owner)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640], ids=oct)
def test_a_secret_of_root_and_its_group_is_one(checked, mode):
    assert "token_file" not in checked(mode)
