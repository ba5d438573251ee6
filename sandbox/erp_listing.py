"""The ERP's list of subscriptions, with their customers: what a migration reads."""

from typing import Any

from sandbox.api import Api, Call
from sandbox.box import Box

api = Api("erp")

MOST = 100


@api.operation("GET", "/subscriptions")
def subscriptions(box: Box, call: Call) -> dict[str, Any]:
    """A page of those that are active, or end on a day to come, after the id in `after`."""
    today, after = box.clock.today().isoformat(), call.query.get("after", "")
    living = [
        {**each, "customer_record": box.store.get("erp", "customers", each["customer"])}
        for each in box.store.all("erp", "subscriptions")
        if each["status"] == "active" or (each["status"] == "ended" and (each["ends"] or "") > today)
    ]
    page = sorted((each for each in living if each["id"] > after), key=lambda each: str(each["id"]))
    following = page[MOST - 1]["id"] if len(page) > MOST else None
    return {"subscriptions": page[:MOST], "next": following}
