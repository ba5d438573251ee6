"""The floor that the console's pages are measured against: a bare page of the same framework and the same templates'
library, with as many rows as a page of the portfolio. It reads nothing, and knows nobody.

`python -m bench.bare_page PORT`.
"""

import sys

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from jinja2 import Environment

ROWS = 50
PAGE = """<!doctype html><html lang="en"><head><title>{{ title }}</title></head><body><h1>{{ title }}</h1>
<table>{% for row in rows %}<tr><th><a href="/{{ row.name }}">{{ row.name }}</a></th><td>{{ row.number }}</td></tr>
{% endfor %}</table></body></html>"""


def create_app() -> FastAPI:
    app = FastAPI(openapi_url=None)
    template = Environment(autoescape=True).from_string(PAGE)
    rows = [{"name": f"crm/D-{number:05}/1", "number": number} for number in range(ROWS)]

    @app.get("/bare", response_class=HTMLResponse)
    async def bare() -> HTMLResponse:
        return HTMLResponse(template.render(title="Bare", rows=rows))

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        return {"status": "ok"}

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(), host="127.0.0.1", port=int(sys.argv[1]), log_config=None, access_log=False)
