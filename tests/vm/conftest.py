# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests of a whole host (scripts/vm.sh boot).

host   the virtual machine with the TOF installed
app    the ME App, beside it
net    an eNodeB and an SGW at the other ends of its adapters"""

import os
import sys

import pytest

TOP = os.path.normpath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path[:0] = [os.path.join(TOP, "tests/net"), os.path.dirname(__file__)]

# pylint: disable=wrong-import-position
from host import Host, running_app              # noqa: E402
from tofnet.emulator import Emulator            # noqa: E402


@pytest.fixture(scope="session")
def host():
    the_host = Host()
    the_host.install()
    return the_host


@pytest.fixture(scope="session")
def app():
    with running_app():
        yield


@pytest.fixture
def net(app):
    # pylint: disable=redefined-outer-name,unused-argument
    with Emulator() as emulator:
        yield emulator
