"""What stands outside in the name of contracts that nobody knows."""

from collections.abc import Iterable, Sequence

from domain import keys
from domain.ports.records import (
    CustomerRecord,
    OpportunityRecord,
    PlanRecord,
    RecordKind,
    RunRecord,
    SubscriptionRecord,
)
from domain.reconciling.difference import Found
from starter.reconciling.harvest import Harvest
from starter.reconciling.reading import Sources
from store.database import Database
from store.known import aliases_among, contracts_among, keys_among

LIVING = ("draft", "active")


async def orphans(database: Database, harvest: Harvest, sources: Sources, readable: Iterable[str]) -> list[Found]:
    """Of every system that was read to its end: what is of ours by its key, or its contract's name, and of no contract
    that the store knows."""
    found: list[Found] = []
    for name in readable:
        for kind in sources[name].reader.kinds:
            for records in harvest.pages(name, kind):
                found += await _among(database, name, kind, records)
    return found


async def _among(database: Database, connection: str, kind: RecordKind, records: Sequence[object]) -> list[Found]:
    match kind:
        case "customers":
            return await _customers(database, connection, [r for r in records if isinstance(r, CustomerRecord)])
        case "subscriptions":
            living = [r for r in records if isinstance(r, SubscriptionRecord) and r.status in LIVING]
            aliased = await database.read(
                lambda session: aliases_among(session, connection, "subscription", [each.id for each in living])
            )
            theirs = [(each.id, each.contract, "") for each in living if each.id not in aliased]
            return await _unknown(database, connection, "erp_subscription_orphaned", "the subscription", theirs)
        case "opportunities":
            open_ones = [r for r in records if isinstance(r, OpportunityRecord) and r.outcome == "open"]
            theirs = [(each.id, each.contract, each.account or "") for each in open_ones]
            return await _unknown(database, connection, "crm_opportunity_orphaned", "the opportunity", theirs)
        case "plans" | "playbooks":
            plans = [(r.id, r.contract, "") for r in records if isinstance(r, PlanRecord)]
            what = "the onboarding plan" if kind == "plans" else "the playbook"
            name = "cs_onboarding_orphaned" if kind == "plans" else "cs_playbook_orphaned"
            return await _unknown(database, connection, name, what, plans)
        case "runs":
            runs = [(r.id, r.contract, "") for r in records if isinstance(r, RunRecord) and r.running]
            return await _unknown(database, connection, "run_orphaned", "the workflow", runs)
    return []


async def _customers(database: Database, connection: str, records: Sequence[CustomerRecord]) -> list[Found]:
    keyed = [(each.key, each) for each in records if each.key and each.key.startswith("customer:")]
    known = await database.read(lambda session: keys_among(session, [key for key, _ in keyed]))
    return [
        Found(
            kind="erp_customer_orphaned",
            subject=each.id,
            sentence=f"the customer {each.id} bears the key {key}, and no contract has made it",
            theirs=key,
            connection=connection,
            account=each.account or "",
        )
        for key, each in keyed
        if key not in known
    ]


async def _unknown(
    database: Database, connection: str, kind: str, what: str, named: Sequence[tuple[str, str | None, str]]
) -> list[Found]:
    """`named`: id, contract and account of each record."""
    contracts = {keys.contract_of(contract) for _, contract, _ in named if contract}
    known = await database.read(lambda session: contracts_among(session, contracts))
    return [
        Found(
            kind=kind,
            subject=id,
            sentence=f"{what} {id} is one of {contract}, which is no contract that Tenure knows",
            theirs=contract,
            connection=connection,
            account=account,
        )
        for id, contract, account in named
        if contract and keys.contract_of(contract) not in known
    ]
