"""`python -m bench.plot`: draws docs/images/growth.svg from bench/results/growth.json."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE, TARGET = ROOT / "bench" / "results" / "growth.json", ROOT / "docs" / "images" / "growth.svg"

PANELS = (
    ("A new deal, until it is active in the ERP", "active_ms", "ms"),
    ("The worker's memory", "worker_mb", "MB"),
    ("Temporal's memory", "temporal_mb", "MB"),
    ("Start of the worker, until it has served a deal", "worker_until_first_deal_s", "s"),
    ("Processor at rest, all processes", "idle_processor_percent", "%"),
    ("Temporal's database per lifecycle", "temporal_disk_kb_per_lifecycle", "KB"),
)
COLUMNS, WIDE, HIGH, BAR, ROOM = 3, 300, 170, 46, 96


def drawn(values: Mapping[str, float], sizes: Sequence[int], machine: str) -> str:
    """One panel for each figure, in it a bar for each number of open lifecycles."""
    rows = -(-len(PANELS) // COLUMNS)
    width, height = COLUMNS * WIDE, rows * HIGH + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        f' role="img" aria-label="How figures grow with {", ".join(map(str, sizes))} open lifecycles">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for place, (title, name, unit) in enumerate(PANELS):
        left, top = place % COLUMNS * WIDE + 16, place // COLUMNS * HIGH + 24
        parts += _panel(left, top, f"{title} ({unit})", [(size, values[f"growth_{size}_{name}"]) for size in sizes])
    parts += [f'<text x="16" y="{height - 10}" font-size="11" fill="#555555">{escape(machine)}</text>', "</svg>"]
    return "\n".join(parts) + "\n"


def _panel(left: int, top: int, title: str, bars: Sequence[tuple[int, float]]) -> Iterator[str]:
    most = max(value for _, value in bars) or 1.0
    yield f'<text x="{left}" y="{top}" font-size="12" font-weight="bold" fill="#222222">{escape(title)}</text>'
    for place, (size, value) in enumerate(bars):
        tall, x, foot = value / most * ROOM, left + 8 + place * 84, top + 24 + ROOM
        yield f'<rect x="{x}" y="{foot - tall:.1f}" width="{BAR}" height="{max(tall, 1):.1f}" fill="#2f6f9f"/>'
        yield _label(x + BAR / 2, foot - tall - 4, f"{value:,.1f}" if value < 100 else f"{value:,.0f}")
        yield _label(x + BAR / 2, foot + 13, f"{size:,}")


def _label(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" text-anchor="middle" fill="#222222">{text}</text>'


def main() -> int:
    if not SOURCE.exists():
        sys.stderr.write(f"there is no {SOURCE.relative_to(ROOT)}: run `python -m bench growth` first\n")
        return 1
    kept = json.loads(SOURCE.read_text(encoding="utf-8"))
    sizes = sorted({int(name.split("_")[1]) for name in kept["values"] if name.startswith("growth_")})
    said = f"{kept['machine']}, {kept['at'][:10]}. By number of open lifecycles; at most 500 are cached."
    TARGET.write_text(drawn(kept["values"], sizes, said), encoding="utf-8")
    sys.stdout.write(f"{TARGET.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
