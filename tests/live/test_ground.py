"""The ground itself: what is seeded, who may come in, and that nothing outlives the run."""

import httpx

from tests.live.tryton import Tryton


def rpc(tryton: Tryton, method: str, *params: object) -> httpx.Response:
    body = {"id": 1, "method": method, "params": params}
    return httpx.post(f"{tryton.url}/{tryton.database}/rpc/", json=body, timeout=60, trust_env=False)


def test_the_technical_user_logs_in_with_its_generated_password_only(tryton: Tryton) -> None:
    accepted = rpc(tryton, "common.db.login", tryton.user, {"password": tryton.password})
    refused = rpc(tryton, "common.db.login", tryton.user, {"password": "tenure"})

    assert accepted.json()["result"][0] > 1
    assert refused.status_code == 401


def test_the_technical_user_is_in_one_group_only(tryton: Tryton) -> None:
    groups = tryton.sql(
        'SELECT g.name FROM res_group g JOIN "res_user-res_group" r ON r."group" = g.id '
        "JOIN res_user u ON u.id = r.user WHERE u.login = %s",
        tryton.user,
    )

    assert groups == [("Tenure",)]


def test_the_selling_company_is_seeded(tryton: Tryton) -> None:
    entities = tryton.sql(
        "SELECT c.tenure_code, k.code FROM company_company c JOIN currency_currency k ON k.id = c.currency ORDER BY 1"
    )
    products = tryton.sql("SELECT code FROM product_product ORDER BY 1")

    assert entities == [("ACME-DE", "EUR"), ("ACME-US", "USD")]
    assert [code for (code,) in products] == ["ANALYTICS", "API-CALLS", "ONBOARDING", "PLATFORM", "SUPPORT-PREMIUM"]
