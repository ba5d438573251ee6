"""`tenure terms explain`: the calendar, what is not known yet, and every contradiction at once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
TENURE = str(Path(sys.executable).with_name("tenure"))
ANNUAL = str(EXAMPLES / "contracts" / "annual_saas.toml")


def explain(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TENURE, "terms", "explain", *arguments], capture_output=True, text=True, check=False, cwd=ROOT
    )


def test_a_contract_is_told_day_by_day() -> None:
    told = explain(ANNUAL, "--activated", "2026-12-01", "--milestone", "go-live=2027-01-10", "--terms", "1")
    assert (told.returncode, told.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in told.stdout.splitlines()]
    assert "2026-12-01 term term 1 begins, for 12 months, until 2027-11-30" in " ".join(lines)
    assert any(line.startswith("2027-01-10 billing billing of line 2 starts: 50 × PLATFORM") for line in lines)
    assert any(line.startswith("2027-11-01 notice the last day for notice") for line in lines)
    assert "Not known yet" not in told.stdout


def test_what_is_not_known_is_told_in_words() -> None:
    told = explain(ANNUAL)
    assert told.returncode == 0
    assert "not known yet" in told.stdout
    assert "when go-live is reached" in told.stdout
    assert "Not known yet: the activation, the milestone go-live." in told.stdout


def test_a_won_deal_is_read_through_the_mapping_and_told_as_json() -> None:
    told = explain(str(EXAMPLES / "payloads" / "salesforce_new_hooli.json"), "--activated", "2026-12-01", "--json")
    assert told.returncode == 0
    data = json.loads(told.stdout)
    assert data["awaited"] == ["the milestone go-live"]
    assert {"term", "window", "notice", "billing"} <= {entry["topic"] for entry in data["entries"]}


def test_every_contradiction_is_a_line_and_nothing_else_is_told(tmp_path: Path) -> None:
    text = Path(ANNUAL).read_text()
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(
        text.replace("[terms]", '[terms]\nevergreen = true\nauto_renew = true\nbilled_by = "a marketplace"')
    )
    told = explain(str(wrong))
    assert (told.returncode, told.stdout) == (1, "")
    paths = [line.split(":")[0] for line in told.stderr.splitlines()]
    assert paths == ["terms.initial_months", "terms.renewal_months", "terms.auto_renew", "terms.billed_by"]
    found = json.loads(explain(str(wrong), "--json").stdout)
    assert [reason["path"] for reason in found["reasons"]] == paths


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--activated", "soon"], "'soon' is not a date"),
        (["--activated", "2026-01-01"], "before the signature on 2026-11-20"),
        (["--milestone", "launch=2027-01-01"], "known are go-live"),
        (["--milestone", "go-live"], "is not a date"),
        (["--mapping", "no-such.toml"], ""),
        (["--terms", "0"], "terms"),
    ],
)
def test_a_mistake_is_one_line(options: list[str], words: str) -> None:
    file = ANNUAL if options[0] != "--mapping" else str(EXAMPLES / "payloads" / "hubspot_new.json")
    told = explain(file, *options)
    assert (told.returncode, told.stdout) == (2, "")
    assert words in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_a_day_that_nothing_can_be_counted_from_is_a_reason(tmp_path: Path) -> None:
    text = Path(ANNUAL).read_text()
    far = tmp_path / "far.toml"
    far.write_text(text.replace('\nstart = "on_activation"', '\nstart = "on_date"\nstarts_on = 9999-06-01'))
    told = explain(str(far))
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith("terms.starts_on: 9999-06-01 is not between")
    assert "too far away to count from" in explain(ANNUAL, "--activated", "9999-12-31").stderr
