"""Who may do what, and sees what: permissions, roles, regions and classes of fields, all as data."""

from domain.access.classes import FieldClass, Guarded, Sensitive
from domain.access.permissions import Permission
from domain.access.policy import (
    EVERYWHERE,
    Denied,
    Policy,
    Principal,
    Role,
    RolePolicy,
    default_policy,
    demo_principal,
)
from domain.access.visible import Veiled, see, veiled, visible

__all__ = [
    "EVERYWHERE",
    "Denied",
    "FieldClass",
    "Guarded",
    "Permission",
    "Policy",
    "Principal",
    "Role",
    "RolePolicy",
    "Sensitive",
    "Veiled",
    "default_policy",
    "demo_principal",
    "see",
    "veiled",
    "visible",
]
