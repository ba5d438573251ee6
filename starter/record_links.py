"""Where a person finds what Tenure has made outside: the address of a record in the system that keeps it."""

from urllib.parse import quote

from starter.sections import Connection
from starter.settings import Settings
from starter.temporal import connect_config, uses_local_server

MADE = {
    "create_customer": "customer",
    "create_subscription": "subscription",
    "create_renewal_opportunity": "deal",
    "ensure_company": "company",
    "launch_onboarding": "plan",
    "start_playbook": "playbook",
}
"""The kind of record whose id the ledger has as an effect's result, by the operation that made it."""

_TRYTON = {"customer": "party.party", "subscription": "sale.subscription"}
_STRIPE = {"customer": "customers", "subscription": "subscriptions"}
_SANDBOX = {
    **dict.fromkeys(("customer", "subscription", "playbook", "plan"), "{}s"),
    "deal": "opportunities",
    "company": "companies",
}


def record_link(settings: Settings, operation: str, record: str) -> str:
    """The address of what an operation of the ledger, such as `erp.create_customer`, has made; empty where nobody says.

    `links` of a connection says it in its own words; the adapters that have a web client of a known shape need none.
    """
    name, _, method = operation.partition(".")
    connection, kind = settings.connections.get(name), MADE.get(method, "")
    if connection is None or not kind or not record:
        return ""
    if template := connection.links.get(kind):
        return template.replace("{id}", quote(record, safe=""))
    return _usual(settings, name, connection, kind, record)


def run_link(settings: Settings, workflow_id: str) -> str:
    """The address of a workflow's runs in the Temporal UI; empty where the UI's own address is not known."""
    base = settings.temporal.ui_url
    if base is None and uses_local_server(settings):
        base = f"http://127.0.0.1:{settings.temporal.ui_port}"
    if base is None:
        return ""
    namespace = connect_config(settings)["namespace"]
    return f"{base.rstrip('/')}/namespaces/{quote(str(namespace))}/workflows/{quote(workflow_id, safe='')}"


def _usual(settings: Settings, name: str, connection: Connection, kind: str, record: str) -> str:
    shown, base = quote(record, safe=""), settings.base_url(name)
    match connection.adapter:
        case "sandbox" if connection.base_url is None:
            kinds = _SANDBOX[kind].format(kind)
            return f"{settings.sandbox_url}/admin/records/{connection.kind}/{kinds}/{shown}"
        case "salesforce":
            return f"{base}/{shown}"
        case "stripe" if kind in _STRIPE:
            return f"https://dashboard.stripe.com/{_STRIPE[kind]}/{shown}"
        case "tryton" if kind in _TRYTON:
            # a customer's id there names the party and, after a dash, its company
            number = quote(record.partition("-")[0], safe="")
            return f"{base}/#{connection.database}/model/{_TRYTON[kind]}/{number}"
    return ""
