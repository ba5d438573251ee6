"""The pictures: each amount is drawn to scale, said in words, and leads where it should."""

from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from experience.charts import Bar, Chart, Series, columns, lines, nice, rows, said

SERIES = (Series("in order", "good"), Series("needs attention", "bad"))
STAGES = Chart(
    "Lifecycles by stage",
    SERIES,
    (Bar("serving", (30, 10), "/?stage=serving"), Bar("renewal", (5, 0)), Bar("ended", (0, 0))),
)


def drawn(markup: Markup, tag: str) -> list[ElementTree.Element]:
    return [each for each in ElementTree.fromstring(markup).iter() if each.tag == tag]  # noqa: S314 (our own markup)


def blocks(markup: Markup) -> list[ElementTree.Element]:
    return [each for each in drawn(markup, "rect") if each.get("x")]


def test_lying_bars_are_to_scale_and_one_behind_the_other() -> None:
    first, second, third = blocks(rows(STAGES))
    widths = [float(each.get("width", "")) for each in (first, second, third)]
    assert widths[0] == pytest.approx(3 * widths[1], abs=0.2)
    assert widths[1] == pytest.approx(2 * widths[2], abs=0.2)
    assert float(second.get("x", "")) == pytest.approx(float(first.get("x", "")) + widths[0], abs=0.2)


def test_standing_bars_are_to_scale_and_one_upon_the_other() -> None:
    first, second, _ = blocks(columns(STAGES))
    assert float(first.get("height", "")) == pytest.approx(3 * float(second.get("height", "")), abs=0.2)
    assert float(second.get("y", "")) + float(second.get("height", "")) == pytest.approx(
        float(first.get("y", "")), abs=0.2
    )


def test_a_line_goes_through_each_value() -> None:
    share = Chart("Kept", (Series("kept", "good"),), (Bar("w1", (100,)), Bar("w2", (50,)), Bar("w3", (0,))), " %")
    (path,) = drawn(lines(share, top=100), "polyline")
    heights = [float(point.split(",")[1]) for point in path.get("points", "").split()]
    assert heights[2] - heights[1] == pytest.approx(heights[1] - heights[0], abs=0.2)


@pytest.mark.parametrize("draw", [rows, columns, lines])
def test_it_says_everything_that_it_shows(draw) -> None:  # type: ignore[no-untyped-def]  # each draws something else
    words = next(each.get("aria-label", "") for each in drawn(draw(STAGES), "svg") if each.get("role"))
    assert words.startswith("Lifecycles by stage. serving: in order 30, needs attention 10; renewal: in order 5")


def test_a_bar_leads_where_it_should() -> None:
    (link,) = drawn(rows(STAGES), "a")
    assert (link.get("href"), link.get("aria-label")) == ("/?stage=serving", "serving: 40")


def test_a_picture_with_links_does_not_hide_them() -> None:
    plain = Chart("Plain", SERIES, (Bar("a", (1, 1)),))
    assert [each.get("role") for each in drawn(rows(plain), "svg") if each.get("role")] == ["img"]
    assert [each.get("role") for each in drawn(rows(STAGES), "svg") if each.get("role")] == ["group"]


def test_words_of_others_stay_words() -> None:
    hostile = Chart("<b>", (Series("<i>", "good"),), (Bar('"><script>', (1,), 'javascript:"'),))
    assert "<script" not in rows(hostile)
    assert "<b>" not in rows(hostile)


@pytest.mark.parametrize("draw", [rows, columns, lines])
def test_nothing_is_said_to_be_nothing(draw) -> None:  # type: ignore[no-untyped-def]  # each draws something else
    assert "nothing to show yet" in draw(Chart("Empty", SERIES))


@pytest.mark.parametrize(
    ("highest", "top"), [(0, 4), (3, 4), (5, 8), (10, 12), (41, 80), (99.5, 120), (101, 120), (123_456, 160_000)]
)
def test_an_axis_ends_at_a_round_number(highest: float, top: float) -> None:
    assert nice(highest) == top


def test_many_labels_make_room_for_each_other() -> None:
    year = Chart("A year", (Series("n", "calm"),), tuple(Bar(f"w{n}", (1,)) for n in range(52)))
    said_labels = [each.text for each in drawn(columns(year), "text") if (each.text or "").startswith("w")]
    assert len(said_labels) <= 14
    assert said_labels[-1] == "w51"


def test_numbers_are_said_as_people_write_them() -> None:
    assert [said(each) for each in (3, 1250, 12.5, 1234.56)] == ["3", "1,250", "12.5", "1,235"]
