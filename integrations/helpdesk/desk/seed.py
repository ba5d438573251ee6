"""Fills an empty help desk: `python -m desk.seed`, once, after `django-admin migrate`.

Three queues (support, hooli: one customer's own, internal), the custom field `account`, and two API users whose tokens
and passwords stand in the environment: `agent`, who works on all queues, and `tenure`, who reads support and hooli.
"""

import os

import django

django.setup()

from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from helpdesk.models import CustomField, Queue  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

from desk.access import READERS  # noqa: E402


def seed() -> None:
    queues = {slug: Queue.objects.create(title=slug.title(), slug=slug) for slug in ("support", "hooli", "internal")}
    CustomField.objects.create(name="account", label="CRM account", data_type="varchar", max_length=64, required=False)
    readers = Group.objects.create(name=READERS)
    agent = _user("agent", list(queues.values()))
    tenure = _user("tenure", [queues["support"], queues["hooli"]])
    tenure.groups.add(readers)
    for user in (agent, tenure):
        Token.objects.create(user=user, key=os.environ[f"DESK_{user.username.upper()}_TOKEN"])
    _user("visitor", [], staff=False)
    Token.objects.create(user=User.objects.get(username="visitor"), key=os.environ["DESK_VISITOR_TOKEN"])


def _user(name: str, queues: list[Queue], *, staff: bool = True) -> User:
    user = User.objects.create_user(name, password=os.environ[f"DESK_{name.upper()}_TOKEN"], is_staff=staff)
    codenames = [queue.permission_name.partition(".")[2] for queue in queues]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


if __name__ == "__main__":
    seed()
