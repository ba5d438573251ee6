"""The export: each change once, part by part, as NDJSON and as Parquet."""

import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlmodel import Session, col, update

from domain.view import LifecycleView, Stage
from experience.reading.frame import cursor_of
from store.cases import Cases
from store.tables import CaseRow, TimelineRow
from tests.experience import Experience, open_experience, sqlite_url

BEFORE = datetime(2027, 1, 1, tzinfo=UTC) - timedelta(days=365)


@pytest.fixture
async def later(tmp_path: Path) -> AsyncIterator[Experience]:
    """An app for which what is written now is settled."""
    async with open_experience(sqlite_url(tmp_path)) as opened:
        opened.look_later()
        yield opened


def view(number: int, **changes: Any) -> LifecycleView:
    return LifecycleView(
        **({"contract": f"crm/X-{number}/1", "stage": Stage.SERVING, "account": "ACC-X", "risk": "low"} | changes)
    )


async def part(experience: Experience, dataset: str, **asked: Any) -> tuple[list[dict[str, Any]], str, bool]:
    answer = await experience.http.get(f"/api/v1/export/{dataset}", params=asked)
    assert answer.status_code == 200, answer.text
    rows = [json.loads(line) for line in answer.text.splitlines()]
    return rows, answer.headers["tenure-next"], answer.headers["tenure-more"] == "true"


async def test_each_change_comes_once_and_a_later_one_again(later: Experience) -> None:
    for number in (1, 2, 3):
        await later.publish(view(number))
    first, cursor, more = await part(later, "lifecycles", limit=2)
    rest, cursor, none = await part(later, "lifecycles", limit=2, cursor=cursor)
    assert (more, none) == (True, False)
    assert [row["contract"] for row in first + rest] == ["crm/X-1/1", "crm/X-2/1", "crm/X-3/1"]
    nothing, same, _ = await part(later, "lifecycles", cursor=cursor)
    assert (nothing, same) == ([], cursor)
    await later.publish(view(1, risk="high"))
    changed, _, _ = await part(later, "lifecycles", cursor=cursor)
    assert [(row["contract"], row["risk"]) for row in changed] == [("crm/X-1/1", "high")]


async def test_what_is_not_settled_comes_with_a_later_part(experience: Experience) -> None:
    await experience.publish(view(1))
    assert (await part(experience, "lifecycles"))[:2] == ([], "")


async def test_a_parquet_file_has_its_types_whatever_its_rows_hold(later: Experience) -> None:
    await later.publish(view(1, renewal_date=date(2027, 12, 1)))
    answer = await later.http.get("/api/v1/export/lifecycles", params={"format": "parquet"})
    table = pq.read_table(io.BytesIO(answer.content))
    assert answer.headers["content-type"] == "application/vnd.apache.parquet"
    assert table.schema.field("renewal_date").type == pa.date32()
    assert table.schema.field("updated_at").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("decision").type == pa.string()
    assert table.column("renewal_date").to_pylist() == [date(2027, 12, 1)]
    empty = await later.http.get("/api/v1/export/effects", params={"format": "parquet"})
    assert pq.read_table(io.BytesIO(empty.content)).schema.field("attempts").type == pa.int64()


async def test_every_dataset_can_be_taken_over(later: Experience) -> None:
    await later.publish(view(1))
    await later.database.write(lambda session: session.add(CaseRow(id="one", kind="frozen", title="one")))
    await Cases(later.database).resolve("one", "thawed")
    assert [row["summary"] for row in (await part(later, "timeline"))[0]] == ["serving"]
    assert [(row["id"], row["state"]) for row in (await part(later, "cases"))[0]] == [("one", "resolved")]
    assert [row["what"] for row in (await part(later, "case_notes"))[0]] == ["resolved: thawed"]
    assert (await part(later, "differences"))[0] == []
    assert (await later.http.get("/api/v1/export/secrets")).status_code == 422


async def test_whatever_changes_a_case_brings_it_again(later: Experience) -> None:
    opened = datetime(2020, 1, 1, tzinfo=UTC)  # a lifecycle's own time, which may be long ago
    await later.database.write(lambda session: session.add(CaseRow(id="a", kind="frozen", title="a")))
    _, cursor, _ = await part(later, "cases")
    await later.database.write(lambda session: session.add(CaseRow(id="b", kind="k", title="b", opened_at=opened)))
    new, cursor, _ = await part(later, "cases", cursor=cursor)
    assert [row["id"] for row in new] == ["b"], "also one that says it is older"
    assigned = update(CaseRow).where(col(CaseRow.id) == "a").values(assignee="dana")
    await later.database.write(lambda session: session.connection().execute(assigned))
    changed, _, _ = await part(later, "cases", cursor=cursor)
    assert [(row["id"], row["assignee"]) for row in changed] == [("a", "dana")]


async def test_nothing_is_passed_over_that_was_numbered_before_it_was_written(later: Experience) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)

    def put(session: Session) -> None:
        for number, moment in enumerate((BEFORE, soon, BEFORE)):
            row = TimelineRow(
                contract="c", business_at=BEFORE, recorded_at=moment, kind="k", summary="", ref=str(number)
            )
            session.add(row)
            session.flush()

    await later.database.write(put)
    rows, _, more = await part(later, "timeline")
    assert ([row["id"] for row in rows], more) == ([1], False), "the third waits for the second"


@pytest.mark.parametrize(
    "values",
    [["\ud800", "x"], ["2027-01-01T00:00:00", "x"], ["0001-01-01T00:00:00+23:00", "x"], [2**63, "x"], [["x"], "a\0"]],
)
async def test_a_cursor_of_nobodys_is_one_clear_line(experience: Experience, values: list[Any]) -> None:
    for path in ("/cases", "/export/timeline", "/export/cases", "/lifecycles", "/sla/clocks"):
        answer = await experience.http.get(f"/api/v1{path}", params={"cursor": cursor_of(values)})
        assert answer.status_code == 422, (path, answer.text)
        assert "begin without one" in answer.text
