"""Customers of an old process: contracts that live in the ERP already, and the files that tell of them."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import httpx

from domain.calendar import add_months
from domain.order import Address
from domain.ports import (
    Activation,
    BillingStart,
    CustomerSuccess,
    Erp,
    NewCompany,
    NewCustomer,
    NewSubscription,
    Renewal,
    SubscriptionLine,
)
from domain.terms import ChargeType, Frequency

LINES = ("1", "2")


@dataclass(frozen=True)
class OldCustomer:
    """`age`: days since activation. `auto_renew`: whether silence renews; terms are of twelve months."""

    number: int
    age: int
    today: date
    auto_renew: bool = True
    zone: str = "Europe/Berlin"
    batch: str = "OLD"

    @property
    def deal(self) -> str:
        return f"{self.batch}-{self.number:05d}"

    @property
    def account(self) -> str:
        return f"ACC-{self.batch}-{self.number:05d}"

    @property
    def contract(self) -> str:
        return f"crm/{self.deal}/1"

    @property
    def activated_on(self) -> date:
        return self.today - timedelta(days=self.age)

    @property
    def term(self) -> int:
        return next(n for n in range(1, 100) if add_months(self.activated_on, 12 * n) > self.today)

    @property
    def term_ends(self) -> date:
        return add_months(self.activated_on, 12 * self.term)

    def entry(self, customer: str, subscription: str, *, due: date | None = None, **existing: Any) -> dict[str, Any]:
        """What a file says of the contract. `due`: the second line is billed from that day on, not with go-live."""
        return {
            "deal_id": self.deal,
            "signed_on": self.activated_on.isoformat(),
            "selling_entity": "ACME-DE",
            "currency": "EUR",
            "account": {"id": self.account, "name": f"Old {self.number} GmbH"},
            "sold_to": {
                "name": f"Old {self.number} GmbH",
                "email": f"ap@old{self.number}.example",
                "tax_id": "DE123456788",
                "address": {"street": "Alte Straße 1", "city": "Berlin", "postal_code": "10117", "country": "DE"},
            },
            "terms": {"zone": self.zone, "auto_renew": self.auto_renew, "notice_days": 30},
            "lines": [
                {
                    "id": "1",
                    "product": "PLATFORM",
                    "quantity": "10",
                    "unit_price": "900",
                    "billing_start": "on_signature",
                },
                {
                    "id": "2",
                    "product": "ANALYTICS",
                    "quantity": "10",
                    "unit_price": "300",
                    "billing_start": {"on_date": due.isoformat()} if due else {"on_milestone": "go-live"},
                },
            ],
            "existing": {
                "customer": customer,
                "subscription": subscription,
                "activated_on": self.activated_on.isoformat(),
                "milestones": {"go-live": self.activated_on.isoformat()},
                **existing,
            },
        }


async def lives_in(
    erp: Erp,
    cs: CustomerSuccess | None,
    crm: httpx.AsyncClient,
    old: OldCustomer,
    *,
    billed: tuple[str, ...] = LINES,
    renewed: bool = False,
    due: date | None = None,
) -> dict[str, Any]:
    """The old process has brought the customer into all the systems (without `cs`, into two); returns what a file says
    of it."""
    name, start = f"Old {old.number} GmbH", old.activated_on
    customer = await erp.create_customer(
        NewCustomer(
            account=old.account,
            selling_entity="ACME-DE",
            name=name,
            currency="EUR",
            billing_address=Address(country="DE"),
            shipping_address=Address(country="DE"),
            tax_id="DE123456788",
        ),
        key=f"old:customer:{old.batch}:{old.number}",
    )
    lines = tuple(
        SubscriptionLine(
            id=line,
            product=product,
            quantity=Decimal(10),
            unit_price=Decimal(price),
            charge=ChargeType.RECURRING,
            frequency=Frequency.ANNUAL,
        )
        for line, product, price in (("1", "PLATFORM", 900), ("2", "ANALYTICS", 300))
    )
    subscription = await erp.create_subscription(
        NewSubscription(
            contract=old.contract,
            customer=customer.id,
            selling_entity="ACME-DE",
            currency="EUR",
            starts=start,
            ends=add_months(start, 12),
            payment_terms_days=30,
            purchase_order=None,
            lines=lines,
        ),
        key=f"old:subscription:{old.batch}:{old.number}",
    )
    first = Activation(subscription=subscription.id, on=start, starts=start, ends=add_months(start, 12))
    await erp.activate_order(first, key=f"old:activation:{old.batch}:{old.number}")
    for line in billed:
        begun = BillingStart(subscription=subscription.id, line=line, starts=start, accepted_on=start)
        await erp.start_billing(begun, key=f"old:billing:{old.batch}:{old.number}:{line}")
    for term in range(2, old.term + (2 if renewed else 1)):
        await renew(erp, old, subscription.id, term)
    company = {}
    if cs is not None:
        new = NewCompany(account=old.account, name=name)
        company["company"] = (await cs.ensure_company(new, key=f"old:company:{old.batch}:{old.number}")).id
    deal = {
        "Id": old.deal,
        "Name": name,
        "AccountId": old.account,
        "StageName": "Contracting",
        "CloseDate": start.isoformat(),
        "Account": {"Name": name},
    }
    (await crm.post("/crm/opportunities", json=deal)).raise_for_status()
    return old.entry(customer.id, subscription.id, due=due, **company)


async def renew(erp: Erp, old: OldCustomer, subscription: str, term: int) -> None:
    """The old process renews a contract into a term."""
    starts, ends = (add_months(old.activated_on, 12 * number) for number in (term - 1, term))
    again = Renewal(subscription=subscription, term=term, starts=starts, ends=ends)
    await erp.renew_subscription(again, key=f"old:renewal:{old.batch}:{old.number}:{term}")
