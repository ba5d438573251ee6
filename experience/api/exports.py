"""The incremental export for a warehouse: NDJSON or Parquet, part by part."""

import json
from typing import Annotated, Any, Literal

from fastapi import Query, Response

from experience.answering import show
from experience.api.asking import Cursor
from experience.api.capability import capability
from experience.endpoints import endpoint
from experience.reading.exports import Dataset, export
from experience.services import Served

router = capability("exports")

LONGEST_PART = 10_000
NEXT, MORE = "Tenure-Next", "Tenure-More"
NDJSON, PARQUET = "application/x-ndjson", "application/vnd.apache.parquet"

_FILE = {"schema": {"type": "string", "format": "binary"}}
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": f"Rows that are new or have changed. `{NEXT}`: the cursor of the part after this one; `{MORE}`: "
        "whether that is there already",
        "content": {NDJSON: _FILE, PARQUET: _FILE},
        "headers": {
            NEXT: {"schema": {"type": "string"}},
            MORE: {"schema": {"type": "string", "enum": ["true", "false"]}},
        },
    }
}


@router.get("/export/{dataset}", response_class=Response, responses=_ANSWER)
@endpoint(owner="finance", permission="export.read", since="1.0")
async def export_dataset(
    services: Served,
    dataset: Dataset,
    format: Literal["ndjson", "parquet"] = "ndjson",
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=LONGEST_PART)] = 1000,
) -> Response:
    """What is new or has changed since the part before; what somebody may not see is null, as everywhere."""
    part = await export(services.database, dataset, cursor=cursor, limit=limit, at=services.clock())
    rows, told = await show(part.rows), {NEXT: part.next, MORE: str(part.more).lower()}
    if format == "parquet":
        from experience.parquet import parquet  # pyarrow takes its time to load, and few need it

        return Response(parquet(rows, part.model), media_type=PARQUET, headers=told)
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    return Response(lines.encode(), media_type=NDJSON, headers=told)
