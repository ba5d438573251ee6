# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything of Tenure's that the ERP holds, page by page, so that it can be compared with what should be."""

import datetime as dt

from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction, without_check_access

from .customers import customer_id

_LONGEST_PAGE = 500


class Command(metaclass=PoolMeta):
    __name__ = "tenure.command"

    @classmethod
    def read_records(cls, given):
        """A page of customers or subscriptions, by their numbers. `about`: only the one of that id, and those of that
        account, or contract. `cursor` null: that was all."""
        kind, about, cursor = given.text("kind"), given.text("about", None), given.text("cursor", None)
        limit = min(given.whole("limit", 100), _LONGEST_PAGE)
        if limit < 1:
            raise given.invalid("limit", "at least 1 is needed")
        if cursor is not None and not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
            raise given.invalid("cursor", "it is not one that an earlier page gave")
        lists = {"customers": cls._list_customers, "subscriptions": cls._list_subscriptions}
        if kind not in lists:
            raise given.invalid("kind", f"one of {', '.join(lists)} is needed")
        records, last = lists[kind](int(cursor or 0), limit, about)
        return {"records": records, "cursor": None if last is None else str(last)}

    # ── customers ───────────────────────────────────────────────────────────────────────────────────────────────

    @classmethod
    def _list_customers(cls, after, limit, about):
        """By party. One that several accounts share, since they have one tax id, is nobody's alone: no account is
        told. Parties that were put away are left out."""
        pool = Pool()
        Party = pool.get("party.party")
        companies = pool.get("res.user").get_companies()
        named = [("tenure_references.company", "in", list(companies))]
        if about is not None:
            party, dash, company = about.partition("-")
            by_id = dash and all(each.isascii() and each.isdigit() and len(each) < 10 for each in (party, company))
            of_account = ("tenure_references.account", "=", about)
            named = [*named, ["OR", of_account, ("id", "=", int(party))] if by_id else of_account]
        with without_check_access():
            parties = Party.search([("id", ">", after), *named], order=[("id", "ASC")], limit=limit + 1)
            records = [record for party in parties[:limit] for record in cls._customers_of(party, companies)]
        return records, parties[limit - 1].id if len(parties) > limit else None

    @classmethod
    def _customers_of(cls, party, companies):
        by_company = {}
        for reference in party.tenure_references:
            if reference.company.id in companies:
                by_company.setdefault(reference.company, []).append(reference)
        for company, references in by_company.items():
            only = references[0] if len(references) == 1 else None
            yield {
                "id": customer_id(party, company),
                "key": only.external_id if only else None,
                "account": only.account if only else None,
                "selling_entity": company.tenure_code,
                "parent_account": cls._parent_of(party, references),
                "held": party.tenure_held(company),
            }

    @classmethod
    def _parent_of(cls, party, references):
        """The account that the party above stands for; of several, the one that was told."""
        above = sorted({each.account for each in party.tenure_parent.tenure_references}) if party.tenure_parent else []
        told = {each.parent_account for each in references}
        return next((account for account in above if account in told), above[0] if above else None)

    # ── subscriptions ───────────────────────────────────────────────────────────────────────────────────────────

    @classmethod
    def _list_subscriptions(cls, after, limit, about):
        """One that was renewed as a new one goes on under its first id, as Tenure knows it; its lines as well."""
        Subscription = Pool().get("sale.subscription")
        named = [("tenure_contract", "!=", None), ("tenure_renews", "=", None)]
        if about is not None:
            of_contract = ("tenure_contract", "=", about)
            by_id = about.isascii() and about.isdigit() and len(about) < 10
            named = [*named, ["OR", of_contract, ("id", "=", int(about))] if by_id else of_contract]
        first = Subscription.search([("id", ">", after), *named], order=[("id", "ASC")], limit=limit + 1)
        shown = first[:limit]
        chains, root = {each.id: [each] for each in shown}, {each.id: each.id for each in shown}
        while following := Subscription.search([("tenure_renews", "in", list(root))]):
            root = {each.id: root[each.tenure_renews.id] for each in following}
            for each in following:
                chains[root[each.id]].append(each)
        records = [cls._subscription(chain) for chain in chains.values()]
        return records, shown[-1].id if len(first) > limit else None

    @classmethod
    def _subscription(cls, chain):
        newest, lines = chain[-1], {}
        with Transaction().set_context(company=newest.company.id):
            for line in (cls._listed(line) for each in chain for line in each.lines):
                begun = lines.get(line["id"], {}).get("billed_from")
                lines[line["id"]] = {**line, "billed_from": begun or line["billed_from"]}
            return {
                "id": str(chain[0].id),
                "contract": newest.tenure_contract,
                "customer": customer_id(newest.party, newest.company),
                "currency": newest.currency.code,
                "status": newest.tenure_status(),
                "starts": _iso(newest.tenure_starts),
                "ends": _iso(newest.tenure_ends),
                "term": newest.tenure_term,
                "lines": list(lines.values()),
            }

    @classmethod
    def _listed(cls, line):
        """With the quantity that was agreed last. A line that the ERP's own people added has a number for a name."""
        return {
            "id": line.tenure_line or f"tryton:{line.id}",
            "product": line.service.product.code or "",
            "quantity": line.tenure_quantity_text(dt.date.max),
            "unit_price": None if line.unit_price is None else str(line.unit_price),
            "billed_from": _iso(line.tenure_billed_from),
            "ends": _iso(line.tenure_ends),
        }


def _iso(day):
    return day.isoformat() if day else None
