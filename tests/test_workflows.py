"""What CI runs and what the documents tell to run exists: options, commands, settings, and a gate that means it."""

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from typer.main import get_command

from compress.claims.completeness import KINDS
from compress.claims.policy import Policy
from compress.cli import app
from compress.measure.metric import METRICS
from compress.settings import load_settings

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "docs" / "pages" / "how-to" / "ci.md"
OWN = GUIDE.with_name("own-repository.md")
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EXAMPLES = sorted((ROOT / "examples").glob("*/.github/workflows/*.yml"))
SCRIPTS = sorted((ROOT / ".ci").iterdir())
TEXTS = [*WORKFLOWS, *EXAMPLES, *SCRIPTS, GUIDE, OWN, ROOT / "README.md", ROOT / "tox.ini"]
OF_OTHERS = {"--edit-last"}
"""Options of other programs that the guide speaks about."""

COMMANDS = {
    name: {option for one in command.params for option in one.opts}
    for name, command in get_command(app).commands.items()
}


@pytest.fixture(scope="module")
def pytest_options():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", done.stdout))


def code_of(path):
    """Return what stands in `path` to be run: all of it, or a document's code."""
    text = path.read_text()
    if path.suffix != ".md":
        return text
    fenced = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
    return "\n".join(fenced.findall(text) + re.findall(r"`([^`\n]+)`", fenced.sub("", text)))


def invocations(path, program):
    """Return what follows each call of `program`, up to the end of its line."""
    return re.findall(rf"(?:(?<=\s)|(?<=^)|(?<=\()){program} (.*)", code_of(path), re.MULTILINE)


def options(arguments):
    return set(re.findall(r"(?<!\S)--[a-z][a-z-]*", arguments.split("  #")[0]))


def steps(workflow):
    """Return the shell scripts of a workflow's steps."""
    lines, found = workflow.read_text().splitlines(), []
    for index, line in enumerate(lines):
        match = re.match(r"( *)(- )?run: (.*)", line)
        if match and match[3] == "|":
            deeper = re.compile(rf" {{{len(match[1]) + len(match[2] or '') + 1},}}|$")
            body = lines[index + 1 :]
            end = next((row for row, one in enumerate(body) if not deeper.match(one)), len(body))
            found.append("\n".join(body[:end]))
        elif match:
            found.append(match[3])
    return found


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_option_given_to_pytest_exists(path, pytest_options):
    given = invocations(path, "(?:python -m )?pytest")
    assert set().union(*map(options, given)) - pytest_options == set()


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_command_and_its_options_exist(path):
    for given in invocations(path, "compress-bench"):
        name = given.split()[0]
        assert name in COMMANDS, given
        assert options(given) <= COMMANDS[name], given


def test_there_is_something_to_check():
    assert len(invocations(GUIDE, "(?:python -m )?pytest")) == 5
    assert {given.split()[0] for given in invocations(GUIDE, "compress-bench")} >= {"accept", "compare", "gc", "doctor"}
    assert [len(steps(path)) for path in WORKFLOWS] == [10, 2]
    assert [len(steps(path)) for path in EXAMPLES] == [2]


@pytest.mark.parametrize("path", [GUIDE, ROOT / "README.md"], ids=lambda path: path.name)
def test_every_option_that_a_document_names_exists(path, pytest_options):
    known = set().union(pytest_options, OF_OTHERS, *COMMANDS.values())
    named = set(re.findall(r"`(--[a-z][a-z-]*)", path.read_text()))
    assert len(named) > 2
    assert named - known == set()


def test_every_setting_that_the_guide_names_exists(tmp_path):
    guide = GUIDE.read_text()
    snippets = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    assert len(snippets) == 3
    for snippet in snippets:
        (tmp_path / "pyproject.toml").write_text(snippet)
        load_settings(tmp_path)
    there = {field.name.replace("_", "-") for field in fields(Policy)}
    named = set(re.findall(r"`((?:allowed|minimum|time|long)-[a-z-]+)[` ]", guide))
    assert len(named) > 5
    assert named <= there


def test_every_gap_and_every_judged_metric_has_a_line_in_the_guide():
    lines = " ".join(re.findall(r"^\| (`.*?) \|", GUIDE.read_text(), re.MULTILINE))
    assert [kind for kind in KINDS if f"`{kind}: ..." not in lines] == []
    by_size = {"gzip_bytes", "weight_bytes", "index_bytes", "metadata_bytes"}  # "any size"
    of_the_score = {
        "overall_score",
        "frechet_distance",
        "top_5_accuracy",
        "mse",
        "psnr_db",
        "cosine_similarity",
        "generation_time_s",
    }  # told beside it, or judged as the score
    judged = {name for name, metric in METRICS.items() if metric.nature != "memory"} - by_size - of_the_score
    assert [name for name in sorted(judged) if not re.search(rf"\b{name}\b", lines)] == []


@pytest.mark.parametrize("path", [*WORKFLOWS, *EXAMPLES], ids=lambda path: path.name)
def test_the_steps_are_shell(path):
    for script in steps(path):
        plain = re.sub(r"\$\{\{.*?\}\}", "x", script)
        assert subprocess.run(["bash", "-n"], input=plain, capture_output=True, text=True, check=False).stderr == ""


def test_both_workflows_keep_the_compressed_models_where_the_cache_finds_them():
    folders = [
        re.findall(r"COMPRESS_CACHE_DIR: \$\{\{ github.workspace \}\}/(\S+)", path.read_text()) for path in WORKFLOWS
    ]
    assert folders == [[".cache/compress-bench"]] * len(WORKFLOWS)
    for path in WORKFLOWS:
        # the path is a part of a cache's identity: spelled otherwise, it is never found
        text = path.read_text()
        of_models = re.findall(r"path: (\S+)\n +key: compress-models-", text)
        assert of_models
        assert set(of_models) == {".cache/compress-bench"}


def test_only_main_saves_the_ledger():
    text = WORKFLOWS[0].read_text()
    saving = [step for step in re.split(r"\n {6}- ", text) if "actions/cache/save@" in step]
    assert len(saving) == 2
    assert all("if: always() && github.ref == 'refs/heads/main'" in step for step in saving)
    assert "actions/cache@" not in text, "it would save from pull requests too"


FAKE_PYTHON = """#!/bin/sh
echo "python $*" >> calls
for one in "$@"; do case $one in --report-markdown=*) echo "This is run 0013. If" > "${one#*=}";; esac; done
code=$(head -n 1 codes); sed -i 1d codes; exit "$code"
"""


class Checkout:
    """A repository with `.ci/gate`, whose Python and command line only note how they are called."""

    def __init__(self, folder, message):
        self.folder = folder
        (folder / "bin").mkdir()
        for name, text in (("python", FAKE_PYTHON), ("compress-bench", '#!/bin/sh\necho "accept: $*" >> calls\n')):
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        self.git("init", "-q")
        for text in ("base", message):
            self.git("commit", "-q", "--allow-empty", "-m", text)

    def git(self, *arguments):
        who = {
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@b.c",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@b.c",
        }
        subprocess.run(["git", *arguments], cwd=self.folder, env={**os.environ, **who}, check=True)

    def gate(self, *codes, arguments=(), **environment):
        """Return the exit code of the gate and the calls it made, where pytest exits with `codes` in turn."""
        (self.folder / "codes").write_text("".join(f"{code}\n" for code in codes))
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [ROOT / ".ci" / "gate", *arguments],
            cwd=self.folder,
            env={**os.environ, "PATH": path, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, (self.folder / "calls").read_text().splitlines()


MEANT = "Drop a kernel\n\nAccept-Change: the board has none\n\nSigned-off-by: me"


def test_a_green_gate_runs_once_and_accepts_nothing(tmp_path):
    code, calls = Checkout(tmp_path, MEANT).gate(0, arguments=["--require-baseline"])
    assert code == 0
    (call,) = calls
    assert call.startswith("python -m pytest benches --benchmark-compare ")
    assert call.endswith(" --require-baseline")


def test_a_red_gate_fails_when_no_commit_accepts_it(tmp_path):
    code, calls = Checkout(tmp_path, "Accept nothing").gate(1)
    assert code == 1
    assert len(calls) == 1


@pytest.mark.parametrize("after", [0, 1])
def test_what_a_commit_accepts_is_accepted_with_its_reason_and_gated_again(tmp_path, after):
    checkout = Checkout(tmp_path, MEANT)
    code, calls = checkout.gate(1, after, arguments=["-q"])
    assert code == after, "what is not a change, such as a broken claim, still fails"
    assert calls[1] == "accept: accept 0013 --ledger-only --reason the board has none"
    assert calls[2].endswith("--report-markdown=accepted.md -q")
    assert (tmp_path / "benches.md").read_text().endswith("\nAccepted by a commit: the board has none\n")


def test_a_run_that_could_not_be_made_is_not_accepted(tmp_path):
    code, calls = Checkout(tmp_path, MEANT).gate(4)
    assert code == 4
    assert len(calls) == 1


def test_commits_before_the_change_accept_nothing(tmp_path):
    code, calls = Checkout(tmp_path, MEANT).gate(1, SINCE="HEAD")
    assert code == 1
    assert len(calls) == 1
