"""Whatever happens while a ledger is written to, no file in it is half written, and the next run is stored."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from compress.artifact import sha256_of
from compress.claims import retention
from compress.claims.golden import Golden
from compress.claims.ledger import Ledger
from compress.errors import LedgerError
from tests.cli.stored_run import document

MODEL = b"a model's bytes" * 100_000
DEADLINE_S = 60.0
NOBODY = 65534

WRITE = """
import json, os, sys, time
from pathlib import Path
from compress.claims.golden import Golden
from compress.claims.ledger import Ledger
from compress.errors import LedgerError

folder, action = Path(sys.argv[1]), sys.argv[2]
ledger, model, run = Ledger(folder / "runs"), folder / "model.tflite", json.loads((folder / "run.json").read_text())
ACTIONS = {
    "save": lambda: ledger.save(run, "after"),
    "keep_file": lambda: ledger.keep_file(model, (folder / "sha256").read_text(), "litert"),
    "accept": lambda: ledger.accept(ledger.find("1"), (folder / "reason").read_text()),
    "golden": lambda: Golden(folder / "runs" / "golden.json").accept(
        ledger.find("1"), (folder / "reason").read_text()
    ).write(),
}
"""

STOP = """
def stop(*_):
    (folder / "reached").touch()
    time.sleep(600)

setattr(os, sys.argv[3], stop)
try:
    ACTIONS[action]()
except KeyboardInterrupt:
    sys.exit(130)
"""

FULL = """
import resource

errors = {}

def attempt(name, action):
    try:
        action()
    except LedgerError as error:
        errors[name] = str(error)

ledger.save(run, "before")
before = sorted(path.name for path in ledger.folder.rglob("*"))
if sys.argv[3] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
    run["padding"] = "x" * 400_000
else:
    run["padding"] = "x" * 2_000_000
for name in ACTIONS:
    attempt(name, ACTIONS[name])
del run["padding"]
if sys.argv[3] != "limit":
    with open(ledger.folder / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(512))
        except OSError:
            pass
    attempt("a small run on a disk without a free block", ACTIONS["save"])
    (ledger.folder / "filler").unlink()
after = sorted(path.name for path in ledger.folder.rglob("*") if path.name != "artifacts")
status = ledger.find("1").status
number = ACTIONS["save"]().name
print(json.dumps([errors, before, after, status, number, [str(error) for error in ledger.damaged()]]))
"""

MANY = """
for _ in range(15):
    ACTIONS["keep_file"]()
    ACTIONS["save"]()
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.tflite").write_bytes(MODEL)
    (tmp_path / "sha256").write_text(sha256_of(MODEL))
    (tmp_path / "reason").write_text("worth it")
    cells = {"a": {"values": {"raw_bytes": len(MODEL)}, "sha256": sha256_of(MODEL), "runtime": "litert"}}
    (tmp_path / "run.json").write_text(json.dumps(document("red", cells=cells)))
    return tmp_path


@pytest.fixture
def ledger(folder):
    return Ledger(folder / "runs")


def start(script, *arguments):
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", WRITE + script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def stop_inside(folder, action, step, how):
    """Start a process that does `action`, wait until it is inside `step`, and send it the signal `how`."""
    process = start(STOP, folder, action, step)
    try:
        deadline = time.monotonic() + DEADLINE_S
        while not (folder / "reached").exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(how)
        assert process.wait(DEADLINE_S) == (130 if how == signal.SIGINT else -how)
    finally:
        process.kill()
        process.communicate()


def parts(ledger):
    return sorted(path for path in ledger.folder.rglob("*") if path.name.endswith(".part"))


ACTIONS = ("save", "keep_file", "accept", "golden")


def store_before(folder, ledger):
    """Store a red run, and return what is in the ledger then."""
    ledger.save(json.loads((folder / "run.json").read_text()), "before")
    return {path: path.read_bytes() for path in ledger.folder.rglob("*") if path.is_file()}


def check_that_the_next_run_is_stored(folder, ledger, monkeypatch):
    # a lock that a dead process still held would show
    monkeypatch.setattr("compress.claims.ledger.LOCK_TIMEOUT_S", 5.0)
    kept = ledger.keep_file(folder / "model.tflite", sha256_of(MODEL), "litert")
    path = ledger.save(json.loads((folder / "run.json").read_text()), "next")
    assert (kept.read_bytes(), path.name) == (MODEL, "0002_next.json")
    ledger.accept(ledger.load(path), "worth it")
    assert ledger.baseline("embedded", "benches").file("a") == kept
    assert ledger.damaged() == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_process_killed_in_the_middle_leaves_the_ledger_as_it_was(folder, ledger, monkeypatch, action, step):
    before = store_before(folder, ledger)
    stop_inside(folder, action, step, signal.SIGKILL)
    (part,) = parts(ledger)
    there = {path: path.read_bytes() for path in ledger.folder.rglob("*") if path.is_file() and path != part}
    assert there == before
    assert [run.number for run in ledger.history()] == ["0001"]
    assert ledger.file(sha256_of(MODEL), "litert") is None
    check_that_the_next_run_is_stored(folder, ledger, monkeypatch)
    os.utime(part, (1e9, 1e9))
    retention.apply(retention.plan(ledger))
    assert parts(ledger) == []


@pytest.mark.parametrize("action", ACTIONS)
def test_ctrl_c_in_the_middle_leaves_nothing_behind(folder, ledger, monkeypatch, action):
    before = store_before(folder, ledger)
    stop_inside(folder, action, "replace", signal.SIGINT)
    assert {path: path.read_bytes() for path in ledger.folder.rglob("*") if path.is_file()} == before
    check_that_the_next_run_is_stored(folder, ledger, monkeypatch)


def own_mounts(folder):
    """Return a command's beginning that gives it a disk of 1 MB at `folder`, gone when it ends, else None and why."""
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    mount = 'mount -t tmpfs -o size=1m tmpfs "$0" && cp -r "$0".given/. "$0" && exec "$@"'
    command = ["unshare", "--mount", *rights, "sh", "-c", mount, str(folder)]
    try:
        tried = subprocess.run([*command, "true"], capture_output=True, text=True)
    except FileNotFoundError:
        return None, "there is no unshare"
    return (command, "") if tried.returncode == 0 else (None, tried.stderr.strip())


@pytest.mark.parametrize("disk", ["of 1 MB", "limit"])
def test_a_full_disk_is_an_error_and_leaves_nothing_behind(folder, disk):
    (folder / "reason").write_text("x" * 2_000_000)
    arguments = [sys.executable, "-c", WRITE + FULL, str(folder), "all", disk]
    if disk == "of 1 MB":
        given, small = Path(f"{folder}/small.given"), Path(f"{folder}/small")
        for made in (given, small):
            made.mkdir()
        for name in ("run.json", "sha256"):
            (given / name).write_text((folder / name).read_text())
        for name in ("model.tflite", "reason"):  # these are too large for it
            (given / name).symlink_to(folder / name)
        prefix, refused = own_mounts(small)
        if prefix is None:
            pytest.skip(f"no disk of 1 MB can be mounted here ({refused}); a limit on file sizes stands in for it")
        arguments[3] = str(small)
        arguments = [*prefix, *arguments]
    ran = subprocess.run(arguments, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=DEADLINE_S)
    assert ran.returncode == 0, ran.stderr
    errors, before, after, status, number, damaged = json.loads(ran.stdout)
    why = "No space left on device" if disk == "of 1 MB" else "File too large"
    assert all(why in error for error in errors.values())
    assert [name for name in ACTIONS if name not in errors] == []
    assert len(errors) == (5 if disk == "of 1 MB" else 4)
    assert (after, status, number, damaged) == (before, "red", "0002_after.json", [])


def test_processes_that_store_at_once_get_numbers_and_whole_files_of_their_own(folder, ledger):
    writers = [start(MANY, folder, "both") for _ in range(2)]
    for writer in writers:
        _, errors = writer.communicate(timeout=DEADLINE_S)
        assert writer.returncode == 0, errors
    assert [run.number for run in ledger.history()] == [f"{number:04}" for number in range(1, 31)]
    assert ledger.damaged() == []
    kept = ledger.file(sha256_of(MODEL), "litert")
    assert list(kept.parent.iterdir()) == [kept]


@contextlib.contextmanager
def as_somebody_else():
    """Give up root's right to write everywhere, as it stands above a folder's permissions."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_ledger_can_be_compared_with_and_says_that_it_cannot_be_written(folder):
    # where the user who may only read can get to, unlike in pytest's own folder
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        ledger = Ledger(Path(made) / "runs")
        run = json.loads((folder / "run.json").read_text())
        model = Path(made) / "model.tflite"
        model.write_bytes(MODEL)
        kept = ledger.keep_file(model, sha256_of(MODEL), "litert")
        path = ledger.save(run, "before")
        ledger.accept(ledger.load(path), "worth it")
        accepted = ledger.load(path)
        for one in (path, kept):
            os.utime(one, (1e9, 1e9))
        stale = kept.with_name(f".{kept.name}.4711.part")
        stale.write_text("half")
        os.utime(stale, (1e9, 1e9))
        other = Path(made) / "other.tflite"
        other.write_bytes(b"other")
        for one in (ledger.folder, kept.parent):
            one.chmod(0o555)
        try:
            with as_somebody_else():
                assert ledger.baseline("embedded", "benches").file("a") == kept
                golden = Golden(ledger.folder / "golden.json").accept(accepted, "worth it")
                refused = {
                    "the run could not be stored": lambda: ledger.save(run, "after"),
                    "model.tflite could not be kept": lambda: ledger.keep_file(model, sha256_of(MODEL), "litert"),
                    "other.tflite could not be kept": lambda: ledger.keep_file(other, sha256_of(b"other"), "litert"),
                    "could not be cleared up": lambda: retention.apply(retention.plan(ledger)),
                    "the golden file could not be written": golden.write,
                }
                for said, action in refused.items():
                    with pytest.raises(LedgerError, match=f"{said}: .*Permission denied"):
                        action()
        finally:
            for one in (ledger.folder, kept.parent):
                one.chmod(0o755)
        assert sorted(one.name for one in ledger.folder.iterdir()) == [".lock", "0001_before.json", "artifacts"]


def test_a_lock_that_somebody_keeps_is_an_error_after_a_while(folder, ledger, monkeypatch):
    store_before(folder, ledger)
    monkeypatch.setattr("compress.claims.ledger.LOCK_TIMEOUT_S", 0.05)
    with ledger.lock:
        for action in (
            lambda: ledger.save(document(), "after"),
            lambda: ledger.keep_file(folder / "model.tflite", sha256_of(MODEL), "litert"),
            lambda: ledger.accept(ledger.find("1"), "worth it"),
        ):
            with pytest.raises(LedgerError, match=r"lock"):
                action()
    assert [path.name for path in ledger.files()] == ["0001_before.json"]
