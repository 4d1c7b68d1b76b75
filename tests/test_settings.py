"""A repository's settings are read from its pyproject.toml, and a bad one is named with its file."""

import pytest

from compress.claims.policy import Policy
from compress.errors import ClaimError
from compress.settings import Settings, load_settings


def settings(folder, text):
    (folder / "pyproject.toml").write_text(text)
    return load_settings(folder)


def test_without_a_file_or_a_table_the_defaults_hold(tmp_path):
    assert load_settings(tmp_path) == Settings()
    assert settings(tmp_path, "[tool.ruff]\n") == Settings()
    assert Settings().policy_of("any: int8") == Policy()


def test_settings_are_the_policys_fields_with_dashes(tmp_path):
    found = settings(
        tmp_path,
        """
        [tool.compress]
        allowed-slowdown-fraction = 0.1
        clock = "cpu"
        allow = ["new"]
        golden = "benches/golden.json"
        """,
    )
    assert found.policy == Policy(allowed_slowdown_fraction=0.1, clock="cpu")
    assert found.allow == {"new"}
    assert found.golden == tmp_path / "benches/golden.json"


def test_a_cells_own_limits_change_only_what_they_name_and_the_last_match_wins(tmp_path):
    found = settings(
        tmp_path,
        """
        [tool.compress]
        time-budget-s = 5
        [[tool.compress.cell]]
        name = "lenet_5: *"
        allowed-slowdown-fraction = 0.2
        [[tool.compress.cell]]
        name = "*@onnx"
        allowed-slowdown-fraction = 0.3
        """,
    )
    assert found.policy_of("mnist_cnn: int8") == Policy(time_budget_s=5)
    assert found.policy_of("lenet_5: int8") == Policy(time_budget_s=5, allowed_slowdown_fraction=0.2)
    assert found.policy_of("lenet_5: int8@onnx") == Policy(time_budget_s=5, allowed_slowdown_fraction=0.3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[tool.compress]\nallowed-slowdwn = 0.1",
            "no setting allowed-slowdwn; there are allow, golden, cell, allowed-",
        ),
        ("[tool.compress]\nallowed-slowdown-fraction = -1", "allowed-slowdown-fraction must be a number of at least 0"),
        ("[tool.compress]\nallowed-slowdown-fraction = 0", "allowed-slowdown-fraction must be above 0"),
        ("[tool.compress]\nconfidence = 99", r"confidence must be in \(0.5, 1\), got 99"),
        ("[tool.compress]\nconfidence = true", "confidence must be a number"),
        ("[tool.compress]\nclock = 'sun'", "clock must be one of auto, wall, cpu, got 'sun'"),
        ("[tool.compress]\nallow = ['all']", "allow must be a list of missing, renamed, new"),
        ("[tool.compress]\nallow = 'new'", "allow must be a list of missing"),
        ("[tool.compress]\ngolden = 1", "golden must be a file's path"),
        ("[[tool.compress.cell]]\nclock = 'cpu'", "needs a name"),
        ("[[tool.compress.cell]]\nname = 'x'\nclok = 'cpu'", r"\[\[tool.compress.cell\]\] 'x': no setting clok"),
        ("[tool]\ncompress = 1", "must be a table"),
        ("[tool.compress", "cannot be read"),
    ],
)
def test_a_bad_setting_is_named_with_its_file(tmp_path, text, said):
    with pytest.raises(ClaimError, match=said) as error:
        settings(tmp_path, text)
    assert str(tmp_path / "pyproject.toml") in str(error.value)
