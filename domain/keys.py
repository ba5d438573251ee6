"""Every id and key that Tenure makes. A key names the fact, never the attempt."""

import re
import uuid
from datetime import datetime

TRACE_HEADER = "_tracer-data"  # as the SDK's own OpenTelemetry interceptors name it
LIFE_HEADER = "_tracer-life"
"""Headers of Temporal messages: what somebody does belongs to, and what the lifecycle was begun by."""


def contract_id(connection: str, deal_id: str, part: int = 1) -> str:
    """Our own id of a contract: the CRM connection, the deal it was won with, and its part when a deal is split."""
    return f"{connection}/{deal_id}/{part}"


def leg(contract: str, number: int) -> str:
    """What the ERP knows a contract by: each subscription that follows a move has a name of its own."""
    return contract if number == 1 else f"{contract}+{number}"


def contract_of(leg: str) -> str:
    """The contract whose leg it is."""
    return re.sub(r"(/\d+)\+\d+$", r"\1", leg)


def lifecycle_id(tenant: str, contract: str) -> str:
    """The Temporal workflow id of a contract's lifecycle."""
    return f"lifecycle/{tenant}/{contract}"


def order_check(contract: str, revision: int) -> str:
    """The check of one revision of an order. It reads only, so no ledger row bears this key."""
    return f"order-check:{contract}:{revision}"


def customer(account: str, selling_entity: str, scope: str | None = None) -> str:
    """`scope` is the connection to the ERP, unless that is its kind's home (domain/routes.py)."""
    return f"customer:{account}:{selling_entity}" + (f"@{scope}" if scope else "")


def subscription(contract: str) -> str:
    return f"subscription:{contract}"


def activation(contract: str) -> str:
    return f"activation:{contract}"


def billing_start(contract: str, line: str, term: int) -> str:
    return f"billing-start:{contract}:{line}:{term}"


def amendment(contract: str, decision: str) -> str:
    """`decision` is the won upsell deal's id, or the id of the command."""
    return f"amendment:{contract}:{decision}"


def term_change(contract: str, decision: str) -> str:
    """`decision` is the id of the command that moves the running term's end."""
    return f"term-change:{contract}:{decision}"


def renewal_amendment(contract: str, term: int) -> str:
    """What a won renewal changes with the first day of term `term`."""
    return amendment(contract, f"renewal-{term}")


def company(account: str, scope: str | None = None) -> str:
    """`scope` is the connection to the CS platform, unless that is its kind's home (domain/routes.py)."""
    return f"company:{account}" + (f"@{scope}" if scope else "")


def accounts_in(key: str) -> tuple[str, ...]:
    """The account that a customer's or company's key names; for a company in one of several CS platforms it may be
    either of two. Empty for a key that names a contract's own fact.
    """
    kind, _, rest = key.partition(":")
    match kind:
        case "customer":
            return (rest.rpartition(":")[0],)
        case "company":
            return tuple(dict.fromkeys((rest, rest.rpartition("@")[0] or rest)))
    return ()


def entity_in(key: str, account: str) -> str:
    """The selling entity of the key of this account's customer."""
    return key.removeprefix(customer(account, "")).partition("@")[0]


def rekeyed(key: str, account: str, into: str) -> str:
    """The key of the same fact for another account; any key that does not name `account` stays as it is."""
    if key.startswith(former := customer(account, "")):
        return customer(into, "") + key.removeprefix(former)
    former = company(account)
    if key == former or key.startswith(f"{former}@"):
        return company(into) + key.removeprefix(former)
    return key


def onboarding(contract: str) -> str:
    return f"onboarding:{contract}"


def playbook(contract: str, term: int, review: str = "") -> str:
    """The renewal playbook run in a term, towards the next one; or that of a yearly review in it."""
    return f"playbook:{contract}:{term}" + (f":{review}" if review else "")


def readiness_note(contract: str, term: int, occasion: str = "") -> str:
    """What the CSM is told when the window opens; or on a later occasion, such as a checkpoint."""
    return f"readiness-note:{contract}:{term}" + (f":{occasion}" if occasion else "")


def renewal_opportunity(contract: str, term: int) -> str:
    return f"renewal-opportunity:{contract}:{term}"


def renewal(contract: str, term: int) -> str:
    """The renewal *into* term `term`."""
    return f"renewal:{contract}:{term}"


def ending(contract: str) -> str:
    return f"ending:{contract}"


def cancellation(contract: str) -> str:
    return f"cancellation:{contract}"


def account_stream(account: str) -> str:
    return f"account/{account}"


def feed_schedule(tenant: str, feed: str) -> str:
    """The Temporal schedule of a change feed, and the workflow id of the runs that it starts."""
    return f"feed/{tenant}/{feed}"


def subscriber_stream(subscriber: str) -> str:
    """What the dispatcher that sends to a subscriber holds the lease of."""
    return f"subscriber/{subscriber}"


def outgoing_event(contract: str, run_started: datetime, sequence: int, type: str, n: int) -> str:
    """The id of the n-th turn that a view tells. A UUID, since it travels in a header and in what is signed."""
    run = int(run_started.timestamp() * 1_000_000)
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"tenure:{contract}:{run}:{sequence}:{type}:{n}"))


def sla_event(clock: str, turn: str) -> str:
    """The id of the event that tells of one turn of an SLA clock: warned or breached."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"tenure:sla:{clock}:{turn}"))


def leakage_event(leak: str, turn: str) -> str:
    """The id of the event that tells of a finding of leakage: found or settled."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"tenure:leakage:{leak}:{turn}"))


def undelivered_case(subscriber: str, contract: str | None = None) -> str:
    """The case of what a subscriber did not take; without a contract: of a subscriber that is gone."""
    return f"outgoing:{subscriber}:{contract}" if contract else f"outgoing:{subscriber}"
