"""Pictures made on the server: plain SVG. The style sheet colours it by its tones, a screen reader says its words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup

Tone = Literal["good", "fair", "watch", "bad", "calm"]

WIDE, NARROW = 960, 640
LABEL, ROW, THICK = 150, 30, 18
PLOT, FOOT, HEAD = 180, 24, 14
STEPS = (1.2, 1.6, 2, 4, 8, 12)  # times a power of ten: each quarter of them is a whole number
AXIS_STEPS, MOST_LABELS = 4, 14


@dataclass(frozen=True)
class Series:
    """One of the amounts that each bar, or each point in time, has: its name in the legend, and its colour."""

    name: str
    tone: Tone


@dataclass(frozen=True)
class Bar:
    """One bar, with one value for each series. `href`: where the bar leads."""

    label: str
    values: tuple[float, ...]
    href: str = ""

    @property
    def total(self) -> float:
        return sum(self.values)


@dataclass(frozen=True)
class Chart:
    """What is shown. `unit` follows each number that is said, such as " days" or " EUR"."""

    title: str
    series: tuple[Series, ...]
    bars: tuple[Bar, ...] = field(default=())
    unit: str = ""


def rows(chart: Chart) -> Markup:
    """One lying bar for each label, its series one behind the other, its total at its end."""
    most = max((bar.total for bar in chart.bars), default=0) or 1
    room = NARROW - LABEL - 60
    parts = []
    for n, bar in enumerate(chart.bars):
        top, left = n * ROW, float(LABEL)
        drawn = [_text(LABEL - 8, top + THICK - 4, bar.label, "end")]
        for series, value in zip(chart.series, bar.values, strict=True):
            if width := value / most * room:
                drawn.append(_block(left, top, max(width, 1.5), THICK, series, bar, value, chart.unit))
                left += width
        drawn.append(_text(left + 6, top + THICK - 4, said(bar.total), "start"))
        parts.append(_linked(bar, Markup().join(drawn)))
    return _picture(chart, Markup().join(parts), NARROW, len(chart.bars) * ROW)


def columns(chart: Chart) -> Markup:
    """One standing bar for each label, from left to right, its series one upon the other."""
    top = nice(max((bar.total for bar in chart.bars), default=0))
    slot = (WIDE - 80) / max(1, len(chart.bars))  # the last label needs room at its right
    parts = [_axis(top)]
    for n, bar in enumerate(chart.bars):
        left, bottom = 56 + n * slot, float(HEAD + PLOT)
        drawn = []
        for series, value in zip(chart.series, bar.values, strict=True):
            if height := value / top * PLOT:
                bottom -= height
                drawn.append(_block(left + slot * 0.14, bottom, slot * 0.72, height, series, bar, value, chart.unit))
        parts.append(_linked(bar, Markup().join(drawn)))
        parts.append(_foot(left + slot / 2, n, len(chart.bars), bar.label))
    return _picture(chart, Markup().join(parts), WIDE, HEAD + PLOT + FOOT)


def lines(chart: Chart, *, top: float | None = None) -> Markup:
    """One line for each series over the labels; `top` is where the axis ends, such as 100 for a share in percent."""
    highest = top or nice(max((value for bar in chart.bars for value in bar.values), default=0))
    slot = (WIDE - 80) / max(1, len(chart.bars))  # the last label needs room at its right
    parts = [_axis(highest)]
    for index, series in enumerate(chart.series):
        points = [
            (56 + slot * (n + 0.5), HEAD + PLOT * (1 - bar.values[index] / highest)) for n, bar in enumerate(chart.bars)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(Markup('<polyline class="line tone-{}" points="{}"/>').format(series.tone, path))
        for (x, y), bar in zip(points, chart.bars, strict=True):
            words = _words(bar, series, bar.values[index], chart.unit)
            dot = Markup('<circle class="tone-{}" cx="{:.1f}" cy="{:.1f}" r="4"><title>{}</title></circle>')
            parts.append(_linked(bar, dot.format(series.tone, x, y, words)))
    parts += [_foot(56 + slot * (n + 0.5), n, len(chart.bars), bar.label) for n, bar in enumerate(chart.bars)]
    return _picture(chart, Markup().join(parts), WIDE, HEAD + PLOT + FOOT)


def nice(highest: float) -> float:
    """The end of an axis: the first round number that is not below."""
    if highest <= AXIS_STEPS:
        return AXIS_STEPS
    size = 10.0 ** (len(str(int(highest))) - 1)
    return next(step * size for step in STEPS if step * size >= highest)


def said(number: float) -> str:
    """A number as people write it: 1,250, 12.5, 3."""
    return f"{number:,.0f}" if number == int(number) or abs(number) >= 100 else f"{number:,.1f}"


def _picture(chart: Chart, content: Markup, width: int, height: float) -> Markup:
    if not chart.bars:
        return Markup('<p class="chart-empty">{}: nothing to show yet.</p>').format(chart.title)
    legend = _legend(chart.series) if len(chart.series) > 1 else Markup()
    return Markup(
        '<figure class="chart {size}"><figcaption>{title}{legend}</figcaption>'
        '<div class="chart-scroll" tabindex="0" role="group" aria-label="{title}">'
        '<svg viewBox="0 0 {width} {height:.0f}" role="{role}" aria-label="{words}">{content}</svg></div></figure>'
    ).format(
        title=chart.title,
        legend=legend,
        width=width,
        size="wide" if width == WIDE else "narrow",
        height=height,
        # an image hides what is in it: the links of one that has some would be lost
        role="group" if any(bar.href for bar in chart.bars) else "img",
        words=f"{chart.title}. {'; '.join(_sentences(chart))}",
        content=content,
    )


def _sentences(chart: Chart) -> Iterator[str]:
    for bar in chart.bars:
        each = (
            f"{series.name} {said(value)}{chart.unit}" for series, value in zip(chart.series, bar.values, strict=True)
        )
        yield f"{bar.label}: {', '.join(each)}"


def _legend(series: Sequence[Series]) -> Markup:
    keys = (
        Markup(
            '<span class="key"><svg viewBox="0 0 10 10" aria-hidden="true">'
            '<rect class="tone-{}" width="10" height="10" rx="2"/></svg>{}</span>'
        ).format(each.tone, each.name)
        for each in series
    )
    return Markup(' <span class="legend">{}</span>').format(Markup().join(keys))


def _axis(top: float) -> Markup:
    parts = []
    for step in range(AXIS_STEPS + 1):
        y = HEAD + PLOT * (1 - step / AXIS_STEPS)
        parts.append(Markup('<line class="grid" x1="52" x2="{}" y1="{y:.1f}" y2="{y:.1f}"/>').format(WIDE - 24, y=y))
        parts.append(_text(46, y + 4, said(top * step / AXIS_STEPS), "end"))
    return Markup().join(parts)


def _foot(x: float, n: int, of: int, label: str) -> Markup:
    """Every label has room, or every second, or every third …; the last one is always there."""
    every = -(-of // MOST_LABELS)
    return _text(x, HEAD + PLOT + 17, label, "middle") if (of - 1 - n) % every == 0 else Markup()


def _block(
    x: float, y: float, width: float, height: float, series: Series, bar: Bar, value: float, unit: str
) -> Markup:
    return Markup(
        '<rect class="tone-{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="2"><title>{}</title></rect>'
    ).format(series.tone, x, y, width, height, _words(bar, series, value, unit))


def _words(bar: Bar, series: Series, value: float, unit: str) -> str:
    return f"{bar.label}, {series.name}: {said(value)}{unit}"


def _text(x: float, y: float, words: str, anchor: Literal["start", "middle", "end"]) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(x, y, anchor, words)


def _linked(bar: Bar, content: Markup) -> Markup:
    if not bar.href:
        return content
    words = f"{bar.label}: {said(bar.total)}"
    return Markup('<a href="{}" aria-label="{}">{}</a>').format(bar.href, words, content)
