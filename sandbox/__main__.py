"""`python -m sandbox --port P --db FILE [--webhook-url URL]`: serve until SIGTERM. Webhooks need their secret."""

import argparse
import os

import uvicorn

from sandbox.app import create_app
from sandbox.webhooks import WebhookTarget

SECRET_VARIABLE = "SANDBOX_WEBHOOK_SECRET"  # noqa: S105


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox", description="A company in a box: CRM, ERP, CS, support and usage.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--db", default=":memory:", help="SQLite file")
    parser.add_argument("--token", default="sandbox", help="bearer token of every system")
    parser.add_argument("--webhook-url", help="webhooks go to <url>/webhooks/<system>")
    given = parser.parse_args()
    secret = os.environ.get(SECRET_VARIABLE)  # no flag: everybody can read a process' arguments
    if given.webhook_url is not None and not secret:
        parser.error(f"--webhook-url needs the secret in {SECRET_VARIABLE}")
    target = WebhookTarget(given.webhook_url, secret) if given.webhook_url and secret else None
    uvicorn.run(
        create_app(given.db, target, token=given.token),
        host=given.host,
        port=given.port,
        log_level="critical",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
