"""Makes and fills a help desk's database: `python -m desk.seed`, once.

Three queues (support, hooli: one customer's own, internal), the custom field `account`, and three users whose token and
password is DESK_<NAME>_TOKEN: `agent` works on all queues, `tenure` reads support and hooli, `visitor` is no staff.
"""

import os

import django

django.setup()

from django.contrib.auth.models import Group, Permission, User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from helpdesk.models import CustomField, Queue  # noqa: E402
from rest_framework.authtoken.models import Token  # noqa: E402

from desk.access import READERS  # noqa: E402


def seed() -> None:
    call_command("migrate", verbosity=0)
    queues = {slug: Queue.objects.create(title=slug.title(), slug=slug) for slug in ("support", "hooli", "internal")}
    CustomField.objects.create(name="account", label="CRM account", data_type="varchar", max_length=64, required=False)
    readers = Group.objects.create(name=READERS)
    _user("agent", list(queues.values()))
    _user("tenure", [queues["support"], queues["hooli"]]).groups.add(readers)
    _user("visitor", [], staff=False)


def _user(name: str, queues: list[Queue], *, staff: bool = True) -> User:
    secret = os.environ[f"DESK_{name.upper()}_TOKEN"]
    user = User.objects.create_user(name, password=secret, is_staff=staff)
    codenames = [queue.permission_name.partition(".")[2] for queue in queues]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    Token.objects.create(user=user, key=secret)
    return user


if __name__ == "__main__":
    seed()
