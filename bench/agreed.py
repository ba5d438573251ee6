"""Contracts that everybody agrees about: rows of the store and records of the box, between which nothing differs."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from domain import keys
from domain.company import Company
from domain.existing import Existing, enter
from domain.policies.validation import verdict
from domain.state import LifecycleState
from domain.view import LifecycleView, LineView, Stage
from store.tables import EffectRow, LifecycleRow, LifecycleViewRow, OrderRow, RolledUpRow

STARTED = (datetime.now(UTC) - timedelta(days=200)).date().replace(day=1)
ENDS = STARTED.replace(year=STARTED.year + 1)
"""A term that began some months ago, and whose renewal window has not opened by itself."""
PRODUCTS = (("1", "ONBOARDING", "1", "6000"), ("2", "PLATFORM", "50", "1200"), ("3", "SUPPORT-PREMIUM", "1", "4800"))
STAMP = "2026-03-01T00:00:00.000+0000"
ENTITY, CURRENCY = "ACME-DE", "EUR"


@dataclass(frozen=True)
class Plain:
    """One contract as everybody has it. Its number says in which stage it is, and of what group."""

    n: int

    @property
    def contract(self) -> str:
        return keys.contract_id("crm", self.deal)

    @property
    def deal(self) -> str:
        return f"006TOWN{self.n:05d}"

    @property
    def account(self) -> str:
        return f"001TOWN{self.n:05d}"

    @property
    def parent(self) -> str | None:
        return f"001GROUP{self.n % 7}" if self.n % 5 == 0 else None

    @property
    def stage(self) -> Stage:
        if self.n % 11 == 3:
            return Stage.ENDED
        return Stage.RENEWAL if self.n % 4 == 1 else Stage.SERVING

    @property
    def term(self) -> int:
        return 2 if self.n % 6 == 2 else 1

    @property
    def starts(self) -> date:
        return STARTED

    @property
    def ends(self) -> date:
        """What has ended, has ended with a short term."""
        return STARTED + timedelta(days=100) if self.stage is Stage.ENDED else ENDS

    def id(self, what: str) -> str:
        return f"{what}_town{self.n:05d}"

    @property
    def effects(self) -> dict[str, str]:
        sub = self.id("sub")
        done = {
            keys.customer(self.account, ENTITY): self.id("cus"),
            keys.subscription(self.contract): sub,
            keys.activation(self.contract): sub,
            keys.company(self.account): self.id("company"),
            keys.onboarding(self.contract): self.id("plan"),
        }
        done |= {keys.billing_start(self.contract, line, 1): sub for line, *_ in PRODUCTS}
        if self.term == 2:
            done[keys.renewal(self.contract, 2)] = sub
        if self.stage is Stage.RENEWAL:
            done[keys.renewal_opportunity(self.contract, self.term)] = self.id("opp")
            done[keys.playbook(self.contract, self.term)] = self.id("playbook")
        if self.stage is Stage.ENDED:
            done[keys.ending(self.contract)] = sub
        return done

    @property
    def status(self) -> str:
        if self.stage is Stage.ENDED:
            return "ended"
        return "renewed" if self.term > 1 else "active"

    def view(self) -> LifecycleView:
        lines = [
            LineView(id=line, product=product, quantity=quantity, billing_rule="on activation", billing_starts=STARTED)
            for line, product, quantity, _ in PRODUCTS
        ]
        return LifecycleView(
            contract=self.contract, stage=self.stage, account=self.account, deal=self.deal, selling_entity=ENTITY,
            parent_account=self.parent, term=self.term, term_starts=STARTED, term_ends=self.ends,
            renewal_date=self.ends, lines=lines, effects=self.effects, as_of=datetime.now(UTC),
        )  # fmt: skip

    def document(self) -> dict[str, Any]:
        lines = [
            {
                "id": line,
                "product": product,
                "quantity": quantity,
                "unit_price": price,
                "billing_start": "on_activation",
            }
            for line, product, quantity, price in PRODUCTS
        ]
        return {
            "deal_id": self.deal, "currency": CURRENCY,
            "account": {"id": self.account, "name": f"Town {self.n} GmbH", "parent_id": self.parent},
            "selling_entity": ENTITY, "signed_on": str(self.starts), "lines": lines,
            "sold_to": {"name": f"Town {self.n} GmbH", "email": "ap@town.example", "tax_id": "DE123456788",
                        "address": {"country": "DE", "city": "Berlin",
                        "street": "Beispielstrasse 1", "postal_code": "10117"}},
            "terms": {"start": "on_activation", "zone": "Europe/Berlin"},
        }  # fmt: skip

    def state(self, tenant: str, company: Company) -> LifecycleState:
        """Of a lifecycle that is where the view says."""
        judged = verdict(self.document(), company, 1, parent_known=None)
        done = {"activated_on": self.starts, "term": self.term, "billing": {line: STARTED for line, *_ in PRODUCTS}}
        existing = Existing.model_validate({**done, "milestones": {"go-live": STARTED}})
        life = LifecycleState(
            tenant=tenant, contract=self.contract, account=self.account, deal=self.deal, selling_entity=ENTITY
        )
        today = datetime.now(UTC).date()
        life = enter(life, judged, existing, datetime.now(UTC), today)
        life.mode, life.effects = "live", dict(self.effects)
        if self.stage is Stage.RENEWAL:
            life.window_opened = life.prepared = life.term
        return life

    # ── what the store and the box hold ─────────────────────────────────────────────────────────────────────────

    def rows(self, tenant: str = "acme") -> Iterator[Any]:
        over = self.stage is Stage.ENDED
        yield LifecycleRow(
            contract=self.contract, tenant=tenant, account=self.account, deal=self.deal, selling_entity=ENTITY,
            workflow_id=keys.lifecycle_id(tenant, self.contract), started=True, closed=over,
        )  # fmt: skip
        yield OrderRow(contract=self.contract, revision=1, document=self.document(), author="test")
        yield LifecycleViewRow(
            contract=self.contract, run_started=datetime.now(UTC), sequence=1, stage=self.stage.value,
            account=self.account, renewal_date=self.ends, needs_attention=False,
            view=self.view().model_dump(mode="json"),
        )  # fmt: skip
        for key, ref in self.effects.items():
            yield EffectRow(
                key=key, contract=self.contract, operation="erp.any", state="DONE", fence=1, arguments="a",
                generation=1, asked_arguments="a", asked_generation=1, lease_until=0,
                result={"id": ref}, created_at=1, updated_at=1,
            )  # fmt: skip
        health = {"company": self.id("company"), **self.health(), "reasons": []}
        yield RolledUpRow(subject=self.id("company"), version=1, health=health, shown={"health": health})

    def health(self) -> dict[str, Any]:
        return {"risk": "low", "renewal_priority": "normal", "lifecycle_stage": self.stage.value}

    def documents(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        cus, sub, company = self.id("cus"), self.id("sub"), self.id("company")
        yield "erp", "customers", {
            "id": cus, "external_id": keys.customer(self.account, ENTITY), "account": self.account,
            "selling_entity": ENTITY, "name": f"Town {self.n} GmbH", "currency": CURRENCY,
            "parent_account": self.parent,
        }  # fmt: skip
        over = self.stage is Stage.ENDED
        yield "erp", "subscriptions", {
            "id": sub, "contract": self.contract, "customer": cus, "currency": CURRENCY, "selling_entity": ENTITY,
            "starts": str(self.starts), "ends": str(self.ends), "term": self.term,
            "status": "ended" if over else "active",
            "activated_on": str(self.starts),
            "lines": [
                {"id": line, "product": product, "quantity": quantity, "unit_price": price, "charge": "recurring",
                 "frequency": "annual", "billing_starts": str(STARTED), "accepted_on": str(STARTED), "starts": None,
                 "ends": None}
                for line, product, quantity, price in PRODUCTS
            ],
        }  # fmt: skip
        yield "crm", "accounts", {"Id": self.account, "Name": f"Town {self.n} GmbH", "ParentId": self.parent}
        yield "crm", "opportunities", {
            "Id": self.deal, "AccountId": self.account, "StageName": "Closed Won", "IsClosed": True, "IsWon": True,
            "CloseDate": str(self.starts), "CurrencyIsoCode": CURRENCY, "SystemModstamp": STAMP,
            "Tenure_Contract__c": self.contract, "Tenure_Status__c": self.status, "ERP_Customer__c": cus,
            "ERP_Subscription__c": sub, "Tenure_Renewal_Date__c": str(self.ends), "Tenure_External_Id__c": None,
            "OpportunityLineItems": {"records": [
                {"ProductCode": product, "Quantity": float(quantity), "UnitPrice": float(price)}
                for _, product, quantity, price in PRODUCTS
            ]},
        }  # fmt: skip
        yield "cs", "companies", {
            "id": company, "external_id": self.account, "name": "Town", "parent_external_id": self.parent,
        }  # fmt: skip
        yield "cs", "health", {"company": company, **self.health(), "reasons": []}
        yield "cs", "plans", {
            "id": self.id("plan"), "external_id": keys.onboarding(self.contract), "company": company,
            "contract": self.contract, "template": "Standard", "starts": str(STARTED),
        }  # fmt: skip
        if self.stage is Stage.RENEWAL:
            yield "crm", "opportunities", {
                "Id": self.id("opp"), "AccountId": self.account, "StageName": "Prospecting", "IsClosed": False,
                "IsWon": False, "CloseDate": str(self.ends), "SystemModstamp": STAMP,
                "Tenure_Contract__c": self.contract,
                "Tenure_External_Id__c": keys.renewal_opportunity(self.contract, self.term),
            }  # fmt: skip
            yield "cs", "playbooks", {
                "id": self.id("playbook"), "external_id": keys.playbook(self.contract, self.term), "company": company,
                "contract": self.contract, "name": "Renewal", "due": str(self.ends),
            }  # fmt: skip
