"""`python -m sandbox --port P --db FILE [--webhook-url URL --webhook-secret whsec_…]`: serve until SIGTERM."""

import argparse

import uvicorn

from sandbox.app import create_app
from sandbox.webhooks import WebhookTarget


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox", description="A company in a box: CRM, ERP, CS, support and usage.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--db", default=":memory:", help="SQLite file")
    parser.add_argument("--token", default="sandbox", help="bearer token of every system")
    parser.add_argument("--webhook-url", help="webhooks go to <url>/webhooks/<system>")
    parser.add_argument("--webhook-secret", help="whsec_…")
    given = parser.parse_args()
    if (given.webhook_url is None) != (given.webhook_secret is None):
        parser.error("--webhook-url and --webhook-secret belong together")
    target = WebhookTarget(given.webhook_url, given.webhook_secret) if given.webhook_url else None
    uvicorn.run(
        create_app(given.db, target, token=given.token),
        host=given.host,
        port=given.port,
        log_level="critical",
        timeout_graceful_shutdown=1,
    )


if __name__ == "__main__":
    main()
