# SPDX-License-Identifier: GPL-3.0-or-later
"""tofctl against rest_driver: what it prints, and its exit codes."""

import contextlib
import json
import os
import pathlib
import pty
import re
import select
import socket
import subprocess
import threading

import pytest
from restdriver import TOP, Driver, free_port

from tofnet import statelet
from tofnet.wait import PATIENCE

TOFCTL = pathlib.Path(os.environ.get("TOF_TOFCTL", TOP / "tofctl"))
SESSIONS = 12000                # More than a page.


@pytest.fixture(scope="module")
def driver():
    if not os.access(TOFCTL, os.X_OK):
        pytest.skip(f"{TOFCTL} is not built")
    with Driver("-s", str(SESSIONS)) as running:
        yield running


@pytest.fixture
def tofctl(driver):
    def run(*args, expect=0, url=f"http://{driver.address}", stdin=None,
            stdout=subprocess.PIPE, text=True, token=""):
        done = subprocess.run([str(TOFCTL), *args], input=stdin,
                              stdout=stdout, stderr=subprocess.PIPE,
                              timeout=60, check=False,
                              env={**os.environ, "TOF_URL": url,
                                   "TOF_TOKEN_FILE": token})
        errors = done.stderr.decode()
        assert done.returncode == expect, errors
        if expect:
            assert "tofctl" in errors.splitlines()[0]
            return errors
        return done.stdout.decode() if text else done.stdout
    run.address = driver.address
    return run


def test_services(tofctl):
    tofctl("add", "edge", "198.51.100.10", "192.168.100.10", "fw", "dpi")
    tofctl("add", "edge6", "2001:db8::10", "fd00:100::10")
    lines = [line.split() for line in tofctl("services").splitlines()]
    assert lines[1:] == [
        ["edge", "198.51.100.10", "192.168.100.10", "fw,dpi", "yes", "up",
         "2026-11-30T12:00:00.000Z"],
        ["edge6", "2001:db8::10", "fd00:100::10", "-", "yes", "up",
         "2026-11-30T12:00:00.000Z"]]
    shown = json.loads(tofctl("-j", "set", "edge", "198.51.100.11",
                              "192.168.100.10"))
    assert shown == {"name": "edge", "serviceIP": "198.51.100.11",
                     "applicationIP": "192.168.100.10"}
    assert tofctl("delete", "edge") == ""
    assert tofctl("delete", "2001:db8::10") == ""
    assert json.loads(tofctl("-j", "services")) == []


@pytest.mark.parametrize("options,members", [
    (("--on-failure=keep",), {"on_failure": "keep"}),
    (("--health", "tcp=443"), {"health": {"tcp": 443}}),
    (("--health=http=/a?b=c,port=8080,expect=204,interval=0.3,fall=1,rise=4",),
     {"health": {"http": "/a?b=c", "port": 8080, "expect": 204,
                 "interval": 0.3, "fall": 1, "rise": 4}}),
    (("--health=icmp,fall=5", "--on-failure", "keep"),
     {"on_failure": "keep", "health": {"icmp": True, "fall": 5}}),
], ids=str)
def test_a_service_and_what_becomes_of_it_when_its_app_is_down(
        tofctl, options, members):
    plain = {"name": "edge", "serviceIP": "198.51.100.10",
             "applicationIP": "192.168.100.10"}
    words = tuple(plain.values())
    assert json.loads(tofctl("-j", "add", *words, *options)) == {
        **plain, **members}
    assert json.loads(tofctl("-j", "set", *words)) == plain
    tofctl("delete", "edge")


@pytest.mark.parametrize("spelled,shown", [
    ("192.168.100.10,192.168.100.11=0,192.168.100.12=7",
     "192.168.100.10=1,192.168.100.11=0,192.168.100.12=7"),
    ("192.168.100.10=3", "192.168.100.10"),
])
def test_a_service_with_several_apps(tofctl, spelled, shown):
    tofctl("add", "edge", "198.51.100.10", spelled)
    rows = [line.split() for line in tofctl("services").splitlines()]
    apps = shown.count(",")
    assert rows[1] == [
        "edge", "198.51.100.10", shown, "-", "yes",
        ",".join(["up", "down", "up"][:apps + 1]),
        f"2026-11-30T12:00:0{apps}.000Z"]
    tofctl("set", "edge", "198.51.100.10", shown)
    assert tofctl("services").splitlines()[1].split()[2] == shown
    for bad in ("192.168.100.10=x", "192.168.100.10=101", "=1", ",",
                "192.168.100.10,192.168.100.10"):
        assert "applications" in tofctl("set", "edge", "198.51.100.10", bad,
                                        expect=1)
    tofctl("delete", "edge")


@pytest.mark.parametrize("option,text", [
    ("--on-failure=fly", "on_failure"), ("--health=tcp=0", "health: tcp"),
    ("--health=udp=53", "health: has a member"), ("--health=", "health")])
def test_a_check_that_there_is_not(tofctl, option, text):
    assert text in tofctl("add", "edge", "198.51.100.10", "192.168.100.10",
                          option, expect=1)


def test_refusals(tofctl):
    assert "multicast" in tofctl("add", "edge", "224.0.0.1", "10.0.0.1",
                                 expect=1)
    tofctl("delete", "no/body", expect=1)
    tofctl("session", "zzz", expect=1)
    tofctl("sessions", "edge", expect=1)
    tofctl("add", "fail-1", "198.51.100.10", "192.168.100.10", expect=1)


def test_sessions(tofctl):
    assert len(tofctl("sessions").splitlines()) == SESSIONS + 1
    assert len(json.loads(tofctl("-j", "sessions"))) == SESSIONS
    session, = json.loads(tofctl("-j", "sessions", "10.45.0.2"))
    shown = tofctl("session", session["id"])
    assert session["id"] in shown
    assert ["edge", "10.45.0.2", str(int(session["id"], 16)), "2", "3",
            "4"] in [line.split() for line in shown.splitlines()]
    tofctl("purge", session["id"])
    tofctl("session", session["id"], expect=1)


# Export and import.

@pytest.fixture
def snapshot(tofctl, tmp_path):
    """An export, and what it holds."""
    file = tmp_path / "snapshot"
    assert tofctl("export", str(file)) == ""
    return file, file.read_bytes()


@pytest.fixture
def fresh(tofctl):
    """tofctl of a TOF that knows nobody."""
    with Driver() as running:
        yield lambda *args, **kw: tofctl(
            *args, url=f"http://{running.address}", **kw)


def test_export(tofctl, snapshot):
    file, data = snapshot
    sessions = json.loads(tofctl("-j", "sessions"))
    assert len(data) == statelet.LEN * len(
        [s for s in sessions if s["state"] != "embryonic"])
    assert os.listdir(file.parent) == [file.name]
    assert file.stat().st_mode & 0o777 == 0o600
    for args in ([], ["-"]):
        assert len(tofctl("export", *args, text=False)) == len(data)


def test_import(fresh, snapshot):
    """By pieces, from a file or standard input."""
    _, data = snapshot
    some = data[:700 * statelet.LEN]
    assert fresh("import", stdin=some) == "700 bearers imported, 0 refused\n"
    assert len(json.loads(fresh("-j", "sessions"))) == 700
    assert json.loads(fresh("-j", "import", "-", stdin=some)) == {
        "imported": 0, "refused": 700}


def test_import_of_a_file(tofctl, snapshot):
    file, data = snapshot
    assert tofctl("import", str(file)) == (
        f"0 bearers imported, {len(data) // statelet.LEN} refused\n")


def test_import_of_nothing(fresh):
    assert fresh("import", stdin=b"") == "0 bearers imported, 0 refused\n"


@pytest.mark.parametrize("cut, text", [
    (100, "record 1"), (10 * statelet.LEN + 1, "record 11")])
def test_import_of_a_file_that_is_cut_off(fresh, snapshot, cut, text):
    """Nothing of the piece is taken."""
    error = fresh("import", stdin=snapshot[1][:cut], expect=2)
    assert f"cut off in the middle of {text}\n" in error
    assert json.loads(fresh("-j", "sessions")) == []


def test_import_that_fails_halfway_says_how_far_it_has_come(fresh, snapshot):
    data = snapshot[1]
    error = fresh("import", stdin=data[:600 * statelet.LEN + 5], expect=2)
    assert "record 601" in error
    assert "of 512 bearers before that 512 were imported" in error
    data = data[:600 * statelet.LEN - 1] + b"\0"
    error = fresh("import", stdin=data, expect=1)
    assert "from record 513 on: Record 88 is damaged" in error
    assert "of 512 bearers before that 0 were imported" in error


def test_import_of_what_is_none_of_ours(fresh):
    for data in (b"x", b"TOFX", b"hello, world\n" * 100, bytes(256)):
        assert "none of an export's" in fresh("import", stdin=data, expect=2)


def test_files_that_cannot_be_used(tofctl, tmp_path):
    missing = str(tmp_path / "no" / "body")
    for command in ("export", "import"):
        assert "No such file" in tofctl(command, missing, expect=2)
        assert "directory" in tofctl(command, str(tmp_path), expect=2)
    with open("/dev/full", "wb") as full:
        assert "No space left" in tofctl("export", stdout=full, expect=2)
    assert os.listdir(tmp_path) == []


@pytest.fixture
def dying():
    """The URL of a TOF that dies while it answers."""
    def answer():
        client, _ = listener.accept()
        client.recv(4096)
        client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                       b"\r\n80\r\n" + bytes(statelet.LEN) + b"\r\n")
        client.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


def test_export_that_is_cut_off_leaves_the_old_one(tofctl, snapshot, dying):
    file, data = snapshot
    tofctl("export", str(file), expect=3, url=dying)
    assert file.read_bytes() == data
    assert os.listdir(file.parent) == [file.name]


def test_the_rest(tofctl):
    assert "interception" in tofctl("status")
    assert tofctl("health") == "ok\n"
    assert len(tofctl("peers").splitlines()) == 1 + 16 + 2
    assert "# TYPE " in tofctl("metrics")
    assert "purge SESSION_ID" in tofctl("-h")
    assert tofctl("-V").startswith("tofctl ")


def test_long_options(tofctl, tmp_path):
    assert "purge SESSION_ID" in tofctl("--help")
    assert tofctl("services", "--json") == tofctl("--json", "services")
    assert tofctl("--version") == tofctl("-V")
    assert json.loads(tofctl("--json", "services")) == []
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    with Driver("-t", str(token)) as running:
        url = f"--url=http://{running.address}"
        tofctl(url, "services", expect=1)
        tofctl(url, "--token-file", str(token), "services")
    tofctl("--ca-file", str(token), "--tok", str(token), "services")
    tofctl("--nothing", "services", expect=2)


def on_a_terminal(tofctl, command, **env):
    """What it shows there until it ends."""
    pid, terminal = pty.fork()
    if not pid:
        os.execve("/bin/sh", ["sh", "-c", f"stty cols 20; {command}"],
                  {**os.environ, "TERM": "xterm",
                   "TOF_URL": f"http://{tofctl.address}", **env})
    shown = b""
    with contextlib.suppress(OSError):  # EIO: nobody has it open any more.
        while True:
            shown += os.read(terminal, 4096)
    os.waitpid(pid, 0)
    os.close(terminal)
    return shown.decode().replace("\r\n", "\n")


def test_columns(tofctl):
    """The heading is there without a row, columns are as wide as need be, and
    a terminal's width does not matter."""
    assert tofctl("services") == (
        "NAME  SERVICE IP  APPLICATION IP  CHAIN  IN FORCE  APP  SINCE\n")
    tofctl("add", "edge", "198.51.100.10", "192.168.100.10", "fw")
    tofctl("add", "e", "2001:db8::10", "fd00:100::10")
    table = ("NAME  SERVICE IP     APPLICATION IP  CHAIN  IN FORCE  APP  "
             "SINCE\n"
             "e     2001:db8::10   fd00:100::10    -      yes       up   "
             "2026-11-30T12:00:00.000Z\n"
             "edge  198.51.100.10  192.168.100.10  fw     yes       up   "
             "2026-11-30T12:00:00.000Z\n")
    assert tofctl("services") == table
    assert on_a_terminal(tofctl, f"{TOFCTL} services") == table
    tofctl("delete", "edge")
    tofctl("delete", "e")


def test_verdicts_have_colours_on_a_terminal(tofctl):
    """Neither elsewhere, nor for who wants none."""
    command = f"{TOFCTL} health"
    assert on_a_terminal(tofctl, command) == "\033[32mok\033[m\n"
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert on_a_terminal(tofctl, command, **env) == "ok\n"
    assert "\033[1;31mWrong:\033[m " in on_a_terminal(
        tofctl, f"{TOFCTL} explain 10.46.0.1")
    assert "\033" not in tofctl("explain", "10.46.0.1")


def test_ages_are_for_people(tofctl):
    heading, row = (line.split() for line in tofctl(
        "sessions", "10.45.0.5").splitlines())
    assert re.fullmatch(r"\d\.\ds|\d\ds|\d+m\d\ds", row[heading.index("AGE")])


def test_top_of_nothing(tofctl):
    """Nobody sends anything to the driver's services."""
    shown = json.loads(tofctl("top", "--json", "--state", "established",
                              "--enb", "10.1.0.2"))
    assert shown["sessions"] == shown["services"] == []
    assert shown["seconds"] >= 5


@pytest.mark.parametrize("args, text", [
    ((), "which command?  tofctl help lists them"),
    (("nothing",), "there is no command nothing; tofctl help lists them"),
    (("help", "nothing"), "there is no command nothing"),
    (("add", "edge"), "add takes NAME SERVICE_IP APP_IP [FUNCTION...]"),
    (("services", "x"), "services takes no arguments"),
    (("session",), "session takes ID"),
    (("import", "a", "b"), "import takes [FILE]"),
    (("completion", "fish"), "completion takes bash or zsh"),
    (("-x",), "invalid option -- 'x'"),
    (("-t", "/nonexistent", "status"), "/nonexistent: cannot read a token"),
    (("-u", "gopher://x", "status"), "gopher://x: "),
], ids=str)
def test_a_wrong_command_line_is_one_line_that_says_why(tofctl, args, text):
    lines = tofctl(*args, expect=2).splitlines()
    assert len(lines) == 1
    assert text in lines[0]


@pytest.mark.parametrize("args", [
    ("add", b"edg\xe9", "198.51.100.10", "192.168.100.10"),
    ("add", "edge", "198.51.100.10", "192.168.100.10", "fw", b"dp\xef"),
    ("add", "edge", "198.51.100.10", "192.168.100.10", b"--health=\xef=1"),
    ("add", "edge", "198.51.100.10", "192.168.100.10", b"--on-failure=\xef"),
    ("log", "any", b"inf\xf3"),
], ids=str)
def test_words_that_are_no_text_are_refused_before_anything_is_sent(
        tofctl, args):
    assert "must be UTF-8" in tofctl(*args, expect=2)
    assert json.loads(tofctl("-j", "services")) == []


def commands_of(tofctl):
    return {line.split()[0] for line in tofctl("help").splitlines()
            if line.startswith("  ") and line[2].isalpha()}


def test_help_about_each_command(tofctl):
    commands = commands_of(tofctl)
    assert {"status", "add", "import"} <= commands
    for command in commands - {"help", "completion"}:
        assert tofctl("help", command).startswith(
            f"usage: tofctl [OPTION...] {command}")


def test_bash_completes(tofctl):
    asked = tofctl("completion", "bash") + (
        "COMP_WORDS=(tofctl sess); COMP_CWORD=1; _tofctl;"
        'echo "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "-c", asked], capture_output=True,
                          text=True, check=True)
    assert done.stdout.split() == ["sessions", "session"]


class Zsh:
    """One that somebody types into; as a context.  Its tofctl says with what
    words it was called."""

    SETUP = ("LISTMAX=1000; PS1='READ''Y'; fpath=($PWD $fpath);"
             "autoload -U compinit; compinit -D -u;"
             "tofctl() { print -r -- CALLE''D $*; }")

    def __init__(self, directory):
        self._end, end = pty.openpty()
        self._shell = subprocess.Popen(
            ["zsh", "-f", "-i"], stdin=end, stdout=end, stderr=end,
            cwd=directory, start_new_session=True,
            env={"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": "/"})
        os.close(end)
        self.enter(self.SETUP)

    def enter(self, line):
        """What it has said when it waits for the next line."""
        os.write(self._end, line.encode() + b"\n")
        said = b""
        while not said.endswith(b"READY"):
            ready, _, _ = select.select([self._end], [], [], 60 * PATIENCE)
            assert ready, said
            said = re.sub(rb"\033\[[^a-z]*[a-z]", b"",
                          said + os.read(self._end, 4096))
        return said.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._shell.kill()
        self._shell.wait()
        os.close(self._end)


@pytest.fixture(scope="module")
def zsh(tmp_path_factory):
    directory = tmp_path_factory.mktemp("zsh")
    script = subprocess.run([str(TOFCTL), "completion", "zsh"], check=True,
                            stdout=subprocess.PIPE).stdout
    (directory / "_tofctl").write_bytes(script)
    (directory / "my.token").touch()
    with Zsh(directory) as shell:
        yield shell


@pytest.mark.parametrize("typed,meant", [
    ("expl", "explain"),
    ("sessions --st", "sessions --state"),
    ("sessions --state=es", "sessions --state=established"),
    ("-t my", "-t my.token"),
    ("-j -t my.token expl", "-j -t my.token explain"),
    ("export my", "export my.token"),
    ("add --on", "add --on-failure"),
    ("add --on-failure=k", "add --on-failure=keep"),
])
def test_zsh_completes(zsh, typed, meant):
    assert f"CALLED {meant}\r" in zsh.enter(f"tofctl {typed}\t")


def test_zsh_lists_all_commands(zsh, tofctl):
    said = zsh.enter("tofctl \t\t")
    for command in commands_of(tofctl):
        assert re.search(rf"\n{command} +-- ", said)


def test_a_slash_at_the_end_of_the_url(tofctl):
    tofctl("-u", f"http://{tofctl.address}/", "services")


def test_sessions_are_chosen(tofctl):
    def ids(*args):
        return {s["id"] for s in json.loads(tofctl("-j", "sessions", *args))}

    everything = json.loads(tofctl("-j", "sessions"))
    enb = everything[0]["bearers"][0]["uplink"]["enb"]
    sgw = everything[0]["bearers"][0]["uplink"]["sgw"]
    assert ids("--enb", enb) == {
        s["id"] for s in everything
        if any(b["uplink"]["enb"] == enb for b in s["bearers"])}
    assert ids("--state", "established", "--sgw", sgw) == {
        s["id"] for s in everything if s["state"] == "established"
        and any(b["uplink"]["sgw"] == sgw for b in s["bearers"])}
    assert not ids("--enb", "192.0.2.1")
    assert "enb must be an IP address" in tofctl("sessions", "--enb", "x",
                                                 expect=1)


def test_a_tof_that_hangs(tofctl):
    """A listener that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as hung:
        port = hung.getsockname()[1]
        assert "no answer in 5 seconds" in tofctl(
            "status", expect=3, url=f"http://127.0.0.1:{port}")


def test_log_levels(tofctl):
    assert tofctl("log", "rest", "warn") == ""
    assert ["rest", "warn"] in [line.split()
                                 for line in tofctl("log").splitlines()]
    assert "there is no such module" in tofctl("log", "x", "dbg", expect=1)
    assert "log takes [MODULE LEVEL]" in tofctl("log", "rest", expect=2)
    tofctl("log", "any", "info")


def test_watch_shows_it_again(tofctl):
    with subprocess.Popen([str(TOFCTL), "--watch", "health"], text=True,
                          stdout=subprocess.PIPE,
                          env={**os.environ,
                               "TOF_URL": f"http://{tofctl.address}"}) as p:
        assert p.stdout.readline() == p.stdout.readline() == "ok\n"
        p.terminate()


def test_no_server(tofctl):
    tofctl("status", expect=3, url=f"http://127.0.0.1:{free_port()}")
    tofctl("-u", "unix:/nonexistent", "status", expect=3)


def test_unix_socket_and_token(tofctl, tmp_path):
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    path = str(tmp_path / "api.sock")
    with Driver("-u", path, "-t", str(token)):
        tofctl("-u", "unix:" + path, "services", expect=1)
        tofctl("-u", "unix:" + path, "-t", str(token), "services")
        tofctl("-u", "unix:" + path, "services", token=str(token))


@pytest.mark.parametrize("content", [
    b"s3cret", b"s3cret \t\r\n", b"s3cret\n\n", b"x" * 4096],
    ids=range(4))
def test_token_file_serves_both(tofctl, tmp_path, content):
    token = tmp_path / "token"
    token.write_bytes(content)
    with Driver("-t", str(token)) as running:
        tofctl("-t", str(token), "services", url=f"http://{running.address}")


@pytest.mark.parametrize("content, text", [
    (b"", "cannot read a token"), (b"\n", "has no token"),
    (b"\0s3cret\n", "has a NUL byte"), (b"x" * 4097, "is too long")],
    ids=range(4))
def test_token_file_that_is_none(tofctl, tmp_path, content, text):
    token = tmp_path / "token"
    token.write_bytes(content)
    assert text in tofctl("-t", str(token), "services", expect=2)


def test_health_of_a_tof_without_a_target(tofctl):
    """It diverts what it has, so that is no failure."""
    with Driver("-m", "pinger") as running:
        assert tofctl("health", url=f"http://{running.address}") == (
            "degraded: pinger: taken away\n")


def test_health_of_an_ill_tof(tofctl):
    with Driver("-m", "openflow") as running:
        assert "openflow" in tofctl("health", expect=1,
                                    url=f"http://{running.address}")
