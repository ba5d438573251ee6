"""What makes two customers look like one: for proposals that a person decides on, never for a decision."""

import re

PUBLIC_MAIL = frozenset({
    "aol.com", "fastmail.com", "free.fr", "gmail.com", "gmx.at", "gmx.ch", "gmx.de", "gmx.net", "googlemail.com",
    "hey.com", "hotmail.com", "icloud.com", "laposte.net", "libero.it", "live.com", "mac.com", "mail.com", "mail.ru",
    "mailbox.org", "me.com", "msn.com", "orange.fr", "outlook.com", "pm.me", "posteo.de", "proton.me",
    "protonmail.com", "qq.com", "t-online.de", "web.de", "yahoo.co.uk", "yahoo.com", "yahoo.de", "yandex.ru",
    "zoho.com",
})  # fmt: skip
"""Where anybody can have an address: it says nothing about a company."""


LEGAL_FORMS = frozenset({
    "ab", "ag", "aps", "as", "bv", "co", "company", "corp", "corporation", "eg", "gmbh", "inc", "incorporated", "kft",
    "kg", "limited", "llc", "llp", "ltd", "nv", "og", "oy", "oyj", "plc", "pte", "pty", "sa", "sarl", "sas", "se", "sl",
    "spa", "srl", "ug",
})  # fmt: skip


def company_domain(email: str | None) -> str | None:
    """The domain of a company's e-mail address, in lower case; None when there is none, or it is a public one's."""
    domain = (email or "").rpartition("@")[2].strip().lower()
    return domain if "." in domain and domain not in PUBLIC_MAIL else None


def company_name(name: str, longest: int = 40) -> str | None:
    """The name, where its legal form says that it is a company's and not a person's; None else."""
    words = re.sub(r"[^\w\s]", "", name.casefold()).split()
    formed = len(words) > 1 and words[-1] in LEGAL_FORMS and "@" not in name
    return " ".join(name.split())[:longest] if formed else None
