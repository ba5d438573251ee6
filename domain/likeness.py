"""What makes two customers look like one: for proposals that a person decides on, never for a decision."""

PUBLIC_MAIL = frozenset({
    "aol.com", "fastmail.com", "free.fr", "gmail.com", "gmx.at", "gmx.ch", "gmx.de", "gmx.net", "googlemail.com",
    "hey.com", "hotmail.com", "icloud.com", "laposte.net", "libero.it", "live.com", "mac.com", "mail.com", "mail.ru",
    "mailbox.org", "me.com", "msn.com", "orange.fr", "outlook.com", "pm.me", "posteo.de", "proton.me",
    "protonmail.com", "qq.com", "t-online.de", "web.de", "yahoo.co.uk", "yahoo.com", "yahoo.de", "yandex.ru",
    "zoho.com",
})  # fmt: skip
"""Where anybody can have an address: it says nothing about a company."""


def company_domain(email: str | None) -> str | None:
    """The domain of a company's e-mail address, in lower case; None when there is none, or it is a public one's."""
    domain = (email or "").rpartition("@")[2].strip().lower()
    return domain if "." in domain and domain not in PUBLIC_MAIL else None
