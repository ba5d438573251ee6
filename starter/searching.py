"""The search attributes that lifecycles are found by: made by `tenure setup`, checked by the worker."""

from typing import Any

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey

from starter.settings import SettingsError
from workflows.desk import SEARCH_ATTRIBUTES


def type_name(key: SearchAttributeKey[Any]) -> str:
    """The attribute's type as the `temporal` command writes it: Keyword, Datetime, Bool."""
    return key.indexed_value_type.name.capitalize()


async def missing_search_attributes(client: Client) -> dict[str, IndexedValueType.ValueType]:
    """The attributes that the namespace lacks, by name. Raises SettingsError for one that has another type: the server
    would accept it again with any type, and then refuse every upsert."""
    answer = await client.operator_service.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = {}
    for key in SEARCH_ATTRIBUTES:
        wanted = IndexedValueType.ValueType(int(key.indexed_value_type))
        found = answer.custom_attributes.get(key.name)
        if found is None:
            missing[key.name] = wanted
        elif found != wanted:
            names = IndexedValueType.Name(found), IndexedValueType.Name(wanted)
            raise SettingsError(f"the search attribute {key.name} is {names[0]}, it must be {names[1]}")
    return missing


async def add_search_attributes(client: Client) -> list[str]:
    """Add what is missing; returns the names added."""
    missing = await missing_search_attributes(client)
    if missing:
        await client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )
    return sorted(missing)


async def check_search_attributes(client: Client) -> None:
    """Refuse to work without them: an upsert of an unknown attribute would fail every workflow task."""
    if missing := await missing_search_attributes(client):
        raise SettingsError(f"search attributes are missing: {', '.join(sorted(missing))}; run: tenure setup")
