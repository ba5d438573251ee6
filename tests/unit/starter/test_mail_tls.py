"""E-mail over TLS: from the start and by STARTTLS, to a server whose certificate is checked before anything is said."""

from pathlib import Path
from typing import Literal

import pytest

from starter.notifying.channels import Channel
from starter.notifying.ways import Sent, way_of
from starter.settings import load_settings
from store.notices import Message
from tests.certificates import authority
from tests.mailbox import Mailbox, at_a_port

MESSAGE = Message("m-1", "mail", True, (("late: a won order is activated", "tenure sla"),), 1, 1)
Tls = Literal["tls", "starttls"]


async def send(mailbox: Mailbox, tls: Tls) -> Sent:
    async with at_a_port(mailbox):
        mail = {"port": mailbox.port, "tls": tls, "user": "tenure", "password": {"value": "secret of the mail"}}
        channel = Channel(kind="email", to=("leads@example.com",))
        return await way_of(load_settings(mail=mail), "mail", channel).send(MESSAGE)


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_mail_goes_to_a_server_that_an_authority_vouches_for(
    tls: Tls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted, context = authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    mailbox = Mailbox(context, offered=tls == "starttls")
    assert (await send(mailbox, tls)).outcome == "sent"
    [mail] = mailbox.mails
    assert mail["to"] == "leads@example.com"
    assert mailbox.users == ["\0tenure\0secret of the mail"]
    assert mailbox.secured is (tls == "starttls")


@pytest.mark.parametrize("tls", ["tls", "starttls"])
@pytest.mark.parametrize("wrong", ["of nobody known", "of another host", "over"])
async def test_a_certificate_that_does_not_hold_is_told_nothing(
    tls: Tls, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, days = "127.0.0.2" if wrong == "of another host" else "127.0.0.1", 0 if wrong == "over" else 1
    trusted, context = authority(tmp_path / "theirs", host=host, days=days)
    if wrong == "of nobody known":
        trusted, _ = authority(tmp_path / "other")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    mailbox = Mailbox(context, offered=tls == "starttls")
    sent = await send(mailbox, tls)
    assert sent.outcome == "failed", "nothing was given to it, so it is tried again"
    assert "certificate" in sent.problem
    assert (mailbox.mails, mailbox.users) == ([], [])


async def test_a_server_that_offers_no_starttls_gets_nothing_in_clear() -> None:
    mailbox = Mailbox()
    sent = await send(mailbox, "starttls")
    assert (sent.outcome, "offers no STARTTLS" in sent.problem) == ("failed", True)
    assert (mailbox.mails, mailbox.users) == ([], [])
