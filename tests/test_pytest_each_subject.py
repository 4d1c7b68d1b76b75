"""The fixture `subject` names each subject that a ``conftest.py`` hands over, unless a bench names its own."""

import pytest

CONFTEST = """
from types import SimpleNamespace

def pytest_compress_subjects(scale):
    return [SimpleNamespace(name="one"), SimpleNamespace(name="two")]
"""


@pytest.fixture
def collected(pytester):
    """Return a function from a test file and a conftest to the names of the collected tests, and the output."""

    def collect(tests, conftest=CONFTEST):
        pytester.makeconftest(conftest)
        pytester.makepyfile(tests)
        done = pytester.runpytest_subprocess("--collect-only", "-q", "-p", "no:cacheprovider")
        return [line.rpartition("::")[2] for line in done.outlines if "::" in line and " " not in line], "\n".join(
            done.outlines
        )

    return collect


def test_a_bench_is_called_for_every_subject(collected):
    names, _ = collected("def test_it(subject, compressed): pass")
    assert names == ["test_it[one]", "test_it[two]"]


def test_it_multiplies_with_what_else_is_parametrized(collected):
    names, _ = collected(
        "import pytest\n@pytest.mark.parametrize('recipe', ['int8', 'float16'])\n"
        "def test_it(subject, recipe, compressed): pass"
    )
    assert sorted(names) == ["test_it[float16-one]", "test_it[float16-two]", "test_it[int8-one]", "test_it[int8-two]"]


@pytest.mark.parametrize(
    ("mark", "arguments"),
    [
        ("'subject', ['mine']", "subject"),
        ("['recipe', 'subject'], [('int8', 'mine')]", "recipe, subject"),
        ("'subject, n', [('mine', 1)]", "subject, n"),
    ],
)
def test_a_bench_that_names_its_own_is_left_alone(collected, mark, arguments):
    bench = f"@pytest.mark.parametrize({mark})\ndef test_it({arguments}, compressed): pass"
    names, out = collected(f"import pytest\n{bench}")
    assert len(names) == 1, out
    assert "mine" in names[0]


def test_a_fixture_of_that_name_nearer_to_the_test_is_left_alone(collected):
    names, _ = collected(
        "import pytest\n@pytest.fixture\ndef subject(): return 1\ndef test_it(subject): assert subject == 1"
    )
    assert names == ["test_it"]


def test_without_any_subject_it_is_one_error_that_names_the_hook(collected):
    names, out = collected("def test_it(subject, compressed): pass", conftest="")
    assert names == []
    assert "takes `subject`, and no conftest.py hands one over" in out
    assert "pytest_compress_subjects" in out
    assert "Traceback" not in out


def test_subjects_that_cannot_be_made_are_one_error(collected):
    names, out = collected(
        "def test_it(subject, compressed): pass",
        conftest="from compress.errors import DataError\ndef pytest_compress_subjects(): raise DataError('no data')",
    )
    assert names == []
    assert "no data" in out
    assert "Traceback" not in out


def test_no_subject_is_made_for_tests_that_do_not_take_one(collected):
    names, out = collected("def test_it(): pass", conftest="def pytest_compress_subjects(): raise SystemError")
    assert names == ["test_it"], out
