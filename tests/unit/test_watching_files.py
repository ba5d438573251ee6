"""What Prometheus, Grafana and Tempo are given: held to the metrics that there are, to each other, and to Compose."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
PROMETHEUS: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
GROUPS: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "prometheus/alerts.yml").read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"]}
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana/tenure.json").read_text())
PANELS: dict[str, dict[str, Any]] = {panel["title"]: panel for panel in DASHBOARD["panels"] if panel["type"] != "row"}
TOLD = re.findall(r"^\| `(tenure_\w+)(?:\{([\w,]+)\})?`", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE)
LABELS = {name: set(labels.split(",")) - {""} for name, labels in TOLD} | {"up": {"job", "instance"}}
LANGUAGE = {
    *("sum", "max", "min", "by", "or", "offset", "rate", "increase", "histogram_quantile", "vector"),
    *("s", "m", "h", "d"),
}  # fmt: skip


def expressions() -> dict[str, str]:
    asked = {name: rule["expr"] for name, rule in ALERTS.items()}
    for title, panel in PANELS.items():
        asked |= {f"{title} {target['refId']}": target["expr"] for target in panel["targets"] if "expr" in target}
    return asked


def series(name: str) -> str:
    """The metric that a series belongs to: a histogram has three."""
    return re.sub(r"_(bucket|sum|count)$", "", name) if name not in LABELS else name


@pytest.mark.parametrize(("where", "expression"), expressions().items())
def test_an_expression_asks_for_metrics_and_labels_that_there_are(where: str, expression: str) -> None:
    bare = re.sub(r'"[^"]*"', "", expression)
    names = set(re.findall(r"\b(?:tenure_\w+|up)\b", bare))
    assert names
    assert all(series(name) in LABELS for name in names), where
    labels = set().union(*(LABELS[series(name)] for name in names), {"le"} if "_bucket" in expression else set())
    words = set(re.findall(r"[a-z_]\w*", re.sub(r"\[[^]]*\]", "", bare))) - names
    assert words - {"e"} <= LANGUAGE | labels, where
    assert all(bare.count(a) == bare.count(b) for a, b in ("()", "{}", "[]")), where


def test_counters_are_never_looked_at_bare() -> None:
    for where, expression in expressions().items():
        for counter in re.findall(r"(\S*)\b(?:tenure_\w+_(?:total|bucket|count))\b", expression):
            assert counter.endswith(("rate(", "increase(")), where


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_urgent_it_is_and_what_is_wrong(name: str) -> None:
    rule = ALERTS[name]
    assert rule["labels"]["severity"] in ("page", "ticket")
    summary = rule["annotations"]["summary"]
    assert summary.endswith((".", "?"))
    assert rule.get("for") is None or re.fullmatch(r"\d+[smhd]", rule["for"])
    known = set().union(*(LABELS[series(each)] for each in re.findall(r"\b(?:tenure_\w+|up)\b", rule["expr"])))
    assert set(re.findall(r"\$labels\.(\w+)", summary)) <= known


def test_alerts_are_named_once() -> None:
    names = Counter(rule["alert"] for group in GROUPS for rule in group["rules"])
    assert set(names.values()) == {1}


def test_every_metric_is_in_a_picture_or_an_alert() -> None:
    asked = " ".join(expressions().values())
    assert [name for name in LABELS if not re.search(rf"\b{name}", asked)] == []


def test_prometheus_asks_every_gateway_and_reads_the_rules() -> None:
    [job] = PROMETHEUS["scrape_configs"]
    targets = {target.partition(":")[0] for each in job["static_configs"] for target in each["targets"]}
    assert targets == {name for name in SERVICES if name.startswith("gateway")}
    mounted = {volume.split(":")[1] for volume in SERVICES["prometheus"]["volumes"]}
    assert set(PROMETHEUS["rule_files"]) <= mounted


def test_grafana_finds_its_dashboard_and_its_sources() -> None:
    sources = yaml.safe_load((DEPLOY / "grafana/datasources.yml").read_text())["datasources"]
    assert all(re.fullmatch(r"http://(\w+):\d+", each["url"])[1] in SERVICES for each in sources)  # type: ignore[index]
    used = {panel["datasource"]["uid"] for panel in PANELS.values()}
    assert used == {each["uid"] for each in sources}
    [provider] = yaml.safe_load((DEPLOY / "grafana/dashboards.yml").read_text())["providers"]
    mounted = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/tenure.json" in mounted


def test_panels_are_named_once_and_lie_side_by_side() -> None:
    taken = Counter(
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    )
    assert set(taken.values()) == {1}
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_spans_go_where_tempo_takes_them_in() -> None:
    tempo = yaml.safe_load((DEPLOY / "tempo/tempo.yml").read_text())
    port = tempo["distributor"]["receivers"]["otlp"]["protocols"]["http"]["endpoint"].rpartition(":")[2]
    for name in ("gateway-1", "dispatcher", "worker"):
        assert SERVICES[name]["environment"]["TENURE_TRACING__ENDPOINT"] == f"http://tempo:{port}"
    assert f"http://tempo:{tempo['server']['http_listen_port']}" in (DEPLOY / "grafana/datasources.yml").read_text()
