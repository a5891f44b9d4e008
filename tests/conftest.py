# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests that have a lab, in tests/net and tests/faults.

lab      the lab with --peers none and tofd, for the session; with
         --datapath ovs,xdp every test that uses it runs once with each
pair     that one and another one beside it (tofnet.pair), for a file
both     their networks (tofnet.standby); the second TOF follows the first
api      its REST API, with no service and no session at the start of a test
net      an eNodeB and an SGW on its S1-U (tofnet.emulator), nothing seen yet"""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "net"))

# pylint: disable=wrong-import-position
from tofnet.emulator import Emulator            # noqa: E402
from tofnet.lab import Lab, lab_sh              # noqa: E402
from tofnet.pair import Pair, follows, listens  # noqa: E402
from tofnet.site import Site                    # noqa: E402
from tofnet.standby import Both, section        # noqa: E402
from tofnet.wait import PATIENCE                # noqa: E402

EMULATED = 4                    # Times as slow as usual.


def pytest_addoption(parser):
    parser.addoption("--datapath", default=os.environ.get(
        "TOF_TEST_DATAPATH", "ovs,xdp"), help="ovs, xdp; or several: a,b")


def pytest_configure(config):
    if os.geteuid() != 0:
        pytest.exit("the network tests need root", returncode=1)
    # pytest tells by identity whether a fixture's parameter is another one.
    config.datapaths = config.getoption("--datapath").split(",")
    config.addinivalue_line(
        "markers", "datapath(name): only for this data path")
    config.addinivalue_line(
        "markers", "hurried(reason): may fail for this reason where the "
        "processor is emulated")
    config.addinivalue_line(
        "markers", "thorough: takes long; scripts/faults.sh runs it")


def pytest_generate_tests(metafunc):
    if "datapath" in metafunc.fixturenames and not any(
            "datapath" in mark.args[0]          # It has a list of its own.
            for mark in metafunc.definition.iter_markers("parametrize")):
        metafunc.parametrize("datapath", metafunc.config.datapaths,
                             scope="session", indirect=True)


def is_for(item, datapath):
    marker = item.get_closest_marker("datapath")
    return not marker or datapath in marker.args


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """What is only for another data path is left out.

    There is one lab at a time: tests that bring up one of their own, or need
    none, come before those that share the session's."""
    others = [item for item in items if hasattr(item, "callspec")
              and "datapath" in item.callspec.params
              and not is_for(item, item.callspec.params["datapath"])]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
    items.sort(key=shares_the_lab)


def may_fail_where_emulated(item):
    """Bounds that are the product's do not stretch with the tests'
    patience."""
    marker = item.get_closest_marker("hurried")
    if marker and PATIENCE >= EMULATED:
        item.add_marker(pytest.mark.xfail(strict=False,
                                          reason=marker.args[0]))


def pytest_itemcollected(item):
    """Where tests run in lanes (test.sh) those of a file and data path stay
    together, as they share what their fixtures bring up."""
    may_fail_where_emulated(item)
    params = item.callspec.params if hasattr(item, "callspec") else {}
    item.add_marker(pytest.mark.xdist_group(
        f"{item.path.stem}-{params.get('datapath', 'none')}"))


def shares_the_lab(item):
    """Of several fixtures of a name, the last one is the nearest."""
    # pylint: disable=protected-access
    labs = item._fixtureinfo.name2fixturedefs.get("lab")
    return bool(labs) and labs[-1].scope == "session"


@pytest.fixture(scope="session")
def datapath(request):
    return request.param


@pytest.fixture(scope="session")
def lab(datapath):
    the_lab = Lab("--peers", "none", "--datapath", datapath)
    try:
        yield the_lab.up()
    finally:
        the_lab.down()


@pytest.fixture(scope="module")
def pair(lab, datapath):
    with Site() as site:
        other = Lab("--peers", "none", "--datapath", datapath, site=site)
        with Pair(lab, other.up()) as both:
            yield both


@pytest.fixture
def api(lab):
    # A test may have left tofd or OVS dead.
    if not lab.api.healthy():
        lab_sh("ovs", "start", check=False)
        lab.tofd("start")
    lab.api.clean()
    yield lab.api


@pytest.fixture(scope="session")
def s1u(lab):
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def net(s1u, api):
    s1u.clear()
    yield s1u
    s1u.clear()


@pytest.fixture(scope="module")
def following(pair):
    with pair.a.configured(section(listens(pair.a))), \
            pair.b.configured(section(follows(pair.a))):
        yield pair


@pytest.fixture(scope="module")
def there(pair):
    with Emulator(*map(pair.b.site.ns, ("lab-enb", "lab-sgw"))) as emulator:
        yield emulator


@pytest.fixture
def both(following, net, there):
    them = Both(following, net, there)
    them.wait_connected()
    them.clean()
    them.register()
    yield them
    them.clean()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """What tofd said goes with the report of a test that failed."""
    report = (yield).get_result()
    if not report.failed:
        return
    for name, value in item.funcargs.items():
        labs = [value] if isinstance(value, Lab) else \
            [value.b] if isinstance(value, Pair) else []
        for lab in labs:
            try:
                tail = "".join(lab.log().splitlines(True)[-40:])
            except OSError:
                continue
            report.sections.append((f"end of tofd's log: {name}", tail))
