"""Roles, scopes and regions: what they allow."""

import pytest

from domain.access import Denied, Permission, Policy, RolePolicy, default_policy, demo_principal

POLICY = default_policy().with_changes({}, {"emea": ("ACME-DE", "ACME-UK"), "amer": ("ACME-US",)})


def test_roles_add_up() -> None:
    both = POLICY.principal("ann", roles=["csm", "finance", "gardener"])
    assert both.roles == ("csm", "finance")
    assert both.may(Permission.RENEWAL_DECIDE)
    assert both.may(Permission.BILLING_APPROVE)
    assert not both.may(Permission.AUDIT_READ)


def test_who_may_not_is_told_which_permission_is_missing() -> None:
    with pytest.raises(Denied, match=r"renewal.decide is not allowed for fin, who has the roles finance"):
        POLICY.principal("fin", roles=["finance"]).demand(Permission.RENEWAL_DECIDE)
    with pytest.raises(Denied, match="no role"):
        POLICY.principal("x", roles=["gardener"]).demand(Permission.GLOSSARY_READ)


def test_scopes_narrow_a_machine_and_never_widen_it() -> None:
    machine = POLICY.principal("loader", roles=["finance"], scopes=["export.read", "case.*"], kind="machine")
    assert machine.may(Permission.EXPORT_READ)
    assert machine.may(Permission.CASE_RESOLVE)
    assert not machine.may(Permission.CASE_EDIT), "no permission of its role"
    assert not machine.may(Permission.LEAKAGE_READ), "none of its scopes"
    assert not POLICY.principal("loader", roles=["admin"], kind="machine").permissions, "no scope: nothing"


def test_regions_are_selling_entities() -> None:
    ann = POLICY.principal("ann", roles=["csm"], regions=["emea"])
    assert [each for each in ("ACME-DE", "ACME-US") if ann.serves(each)] == ["ACME-DE"]
    assert POLICY.principal("bob", roles=["csm"]).serves("ACME-US")
    assert not POLICY.principal("cy", roles=["csm"], regions=["atlantis"]).serves("ACME-US")
    assert not POLICY.principal("di", roles=["csm"], regions=[]).serves("ACME-US")


def test_what_concerns_every_contract_needs_every_region() -> None:
    everywhere, emea = (POLICY.principal("ann", roles=["admin"], regions=[place]) for place in ("*", "emea"))
    assert everywhere.may(Permission.RECONCILIATION_RUN)
    assert not emea.may(Permission.RECONCILIATION_RUN), "the contracts of others would look like orphans"
    assert emea.may(Permission.RECONCILIATION_REPAIR)


def test_a_configured_role_takes_the_place_of_ours() -> None:
    changed = default_policy().with_changes({"csm": RolePolicy(permissions=("case.read",))}, {})
    ann = changed.principal("ann", roles=["csm"])
    assert ann.permissions == {Permission.CASE_READ}
    assert ann.sees == frozenset()
    assert set(changed.roles) == {"csm", "finance", "operations", "engineer", "auditor", "admin"}


def test_an_auditor_reads_everything_and_commands_nothing() -> None:
    auditor = POLICY.principal("ida", roles=["auditor"])
    assert auditor.permissions == {each for each in Permission if not each.command}


def test_the_demo_may_do_everything_and_an_empty_policy_nothing() -> None:
    assert demo_principal(POLICY).permissions == set(Permission)
    assert Policy().principal("ann", roles=["admin"]).permissions == frozenset()
