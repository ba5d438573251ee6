"""API users who may only read.

django-helpdesk's API asks for a member of the staff and nothing else: whoever may list tickets may delete them. So the
right to write is taken here, where it is known who asks. Made for the live tests, and fit for a real installation.
"""

from typing import Any

from rest_framework.authentication import BasicAuthentication, TokenAuthentication
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS

READERS = "readers"


class _ReadersOnlyRead:
    def authenticate(self, request: Any) -> Any:
        found = super().authenticate(request)  # type: ignore[misc]  # beside one of the classes that have it
        if found and request.method not in SAFE_METHODS and found[0].groups.filter(name=READERS).exists():
            raise PermissionDenied(f"members of the group {READERS} may only read")
        return found


class Token(_ReadersOnlyRead, TokenAuthentication):
    """`Authorization: Token <token>`."""


class Password(_ReadersOnlyRead, BasicAuthentication):
    """`Authorization: Basic …`, the user's name and password."""
