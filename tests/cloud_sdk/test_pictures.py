"""Pictures of statistics: what they show, that it can be read, and where they are shown."""

import json
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from app.featurestore.statistics.maths.compute import compute_statistics
from app.featurestore.statistics.maths.options import StatisticsOptions
from hops.featurestore.errors import InvalidInputError, MissingExtraError, StatisticsMissingError
from tests.cloud_sdk.gateway import json_reply

STATISTICS = "/projects/football/{}/versions/1/statistics"
RANDOM = np.random.default_rng(3)
ROWS = 600


def with_nulls(values, share):
    return pa.array(values, mask=RANDOM.random(len(values)) < share)


def normal(scale=1.0):
    return pa.array(RANDOM.normal(5, 1, ROWS) * scale)


MIXED = {
    "age": pa.array(RANDOM.integers(17, 40, ROWS)),
    "market_value_in_euros_as_estimated_by_a_site_with_a_long_name": normal(1e7),
    "rating": with_nulls(RANDOM.normal(6, 1, ROWS), 0.07),
    "share $of$ games": pa.array(np.where(RANDOM.random(ROWS) < 0.1, np.nan, 0.5)),
    "is_captain": with_nulls(RANDOM.random(ROWS) < 0.1, 0.5),
    "position": pa.array(np.array(["goal$keeper", "", "forward\nleft" * 9])[RANDOM.choice(3, ROWS)]),
    "country": pa.array([f"Country number {number:.0f}" for number in RANDOM.exponential(8, ROWS)]),
    "joined_at": pa.array(
        [datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=float(day)) for day in RANDOM.exponential(500, ROWS)]
    ),
    "season": pa.array(np.array(["2021-07-01", "2022-07-01"], "datetime64[D]")[RANDOM.choice(2, ROWS)]),
    "levels": pa.array(RANDOM.choice([0, 1, 10**6], ROWS)),
    "long_ids": pa.array(RANDOM.integers(10**15, 10**15 + 10**6, ROWS)),
    "tags": pa.array([["a"]] * ROWS),
    "only_nulls": pa.nulls(ROWS, pa.float64()),
}
TABLES = {
    1: {"age": MIXED["age"]},
    12: MIXED,
    50: {
        f"feature_{number}" + "_with_a_rather_long_name" * (number % 3): normal(10.0**-number) for number in range(50)
    },
}


class _Scan:
    def __init__(self, table):
        self._table, self.schema, self.rows = table, table.schema, table.num_rows

    def batches(self, columns):
        yield from self._table.select(columns).to_batches()


def answer(columns, **options):
    table = pa.table(columns)
    content = compute_statistics(_Scan(table), StatisticsOptions(**options))
    told = {"state": 0, "rows": table.num_rows, "computed_at": "2026-03-01T12:00:00Z", "options": options}
    return json_reply(json.loads(json.dumps({**told, "content": content})))


@pytest.fixture
def of(fs, sdk_gateway):
    """The module, with a group and a training dataset of these columns."""

    def of_(columns, **options):
        reply = answer(columns, **options)
        sdk_gateway.on("GET", STATISTICS.format("feature-groups/players"), reply)
        sdk_gateway.on("GET", STATISTICS.format("training-datasets/players"), reply)
        return fs

    return of_


def texts(figure, *, level=False):
    """What can be read, with where it stands in pixels; `level`: only what is not rotated, whose boxes have no empty corners."""
    from matplotlib.text import Text

    figure.draw_without_rendering()
    unseen = set(map(id, _beyond_the_ends(figure)))
    found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [
        (text.get_text(), text.get_window_extent())
        for text in found
        if id(text) not in unseen and not (level and text.get_rotation() % 90)
    ]


def _beyond_the_ends(figure):
    """Texts of ticks that matplotlib keeps and does not draw."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    yield from (tick.label1, tick.label2)


def overlapping(figure):
    drawn = texts(figure, level=True)
    boxes = np.array([[box.x0, box.y0, box.x1, box.y1] for _, box in drawn])
    low, high = np.maximum(boxes[:, None, :2], boxes[None, :, :2]), np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    both = ((high - low) > 1.5).all(axis=2)
    return [(drawn[i][0], drawn[j][0]) for i, j in zip(*np.nonzero(np.triu(both, 1)), strict=True)]


def outside(figure):
    width, height = figure.bbox.width, figure.bbox.height
    return [
        text for text, box in texts(figure) if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1
    ]


@pytest.mark.parametrize("count", TABLES)
@pytest.mark.parametrize("log", [False, True])
def test_distributions_can_be_read(of, count, log):
    figure = of(TABLES[count]).visualize_featuregroup_distributions("players", log=log)
    assert (overlapping(figure), outside(figure)) == ([], [])
    assert len(figure.axes) == {1: 1, 12: 11, 50: 50}[count]


@pytest.mark.parametrize("count", TABLES)
def test_correlations_can_be_read(of, count):
    figure = of(TABLES[count]).visualize_featuregroup_correlations("players")
    assert (overlapping(figure), outside(figure)) == ([], [])


@pytest.mark.parametrize(("count", "size"), [(2, (16, 12)), (5, (8, 6)), (30, (8, 6))])
def test_clusters_can_be_read(of, count, size):
    figure = of({"a": normal(), "b": normal()}, cluster_count=count).visualize_featuregroup_clusters(
        "players", figsize=size
    )
    # Middles of clusters may lie as they like.
    assert [pair for pair in overlapping(figure) if not (pair[0].isdigit() or pair[1].isdigit())] == []
    assert outside(figure) == []
    assert "50 of 600 rows are drawn." in said(figure)


def said(figure):
    return "\n".join(text for text, _ in texts(figure))


def test_distributions_say_what_is_missing(of):
    figure = of(MIXED).visualize_featuregroup_distributions("players", plot=False)
    told = said(figure)
    assert "Feature group players_1: distributions of 600 rows" in told
    assert " % null" in told
    assert " % NaN" in told
    assert "others" in told
    assert "Not shown, having no values to count: tags, only_nulls." in told
    assert "(empty)" in told
    assert figure.canvas.manager is None, "no window, and no state of pyplot"


def test_bars_are_as_they_were_asked_for(of):
    draw = of({"goals": pa.array([0, 0, 1, 3])}).visualize_featuregroup_distributions
    for align, first in (("center", -0.4), ("edge", 0.0)):
        figure = draw("players", None, 1, (4, 3), "#e69f00", True, align)
        bars = figure.axes[0].patches
        assert bars[0].get_x() == pytest.approx(first)
        assert bars[0].get_facecolor()[:3] == pytest.approx((0.902, 0.624, 0.0), abs=0.001)
        assert [bar.get_height() for bar in bars] == [2, 1, 1]
        assert figure.axes[0].get_yscale() == "log"
        assert list(figure.get_size_inches()) == [4, 3]


def test_texts_are_horizontal_bars_with_the_most_frequent_on_top(of):
    figure = of({"position": pa.array(["b", "a", "a"])}).visualize_featuregroup_distributions("players")
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == [2, 1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert axes.yaxis_inverted()


def test_numbers_in_the_cells_are_as_they_were_asked_for(of):
    columns = {"a": pa.array([1.0, 2.0, 3.0]), "b": pa.array([3.0, 2.0, 1.0]), "c": pa.array([1.0, 1.0, 1.0])}
    draw = of(columns, correlation_method="spearman").visualize_featuregroup_correlations
    told = said(draw("players", fmt=".1f"))
    assert "-1.0" in told
    assert "\N{EN DASH}" in told
    assert "Hatched: a feature that does not vary" in told
    assert "Spearman's r" in told
    assert "-1.0" not in said(draw("players", annot=False)).replace("\N{MINUS SIGN}", "~")


def test_a_matrix_too_large_for_numbers_says_so(of):
    assert "Numbers are left out" in said(of(TABLES[50]).visualize_featuregroup_correlations("players", figsize=(6, 5)))


@pytest.mark.parametrize(
    ("picture", "arguments", "match"),
    [
        ("distributions", {"color": "blackish"}, "is no colour"),
        ("distributions", {"align": "left"}, "Did you mean: center, edge"),
        ("distributions", {"figsize": 7}, "is no size"),
        ("distributions", {"figsize": (0, 7)}, "is no size"),
        ("correlations", {"cmap": "blackish"}, "is no colour map"),
        ("correlations", {"fmt": "two"}, "formats no number"),
        ("clusters", {"figsize": "large"}, "is no size"),
    ],
)
def test_what_cannot_be_drawn(of, picture, arguments, match):
    draw = getattr(of({"a": normal(), "b": normal()}), f"visualize_featuregroup_{picture}")
    with pytest.raises(InvalidInputError, match=match):
        draw("players", **arguments)


@pytest.mark.parametrize("picture", ["distributions", "correlations", "clusters", "descriptive_stats"])
def test_training_datasets_have_the_same(of, picture):
    fs = of({"a": normal(), "b": normal()})
    found = getattr(fs, f"visualize_training_dataset_{picture}")("players")
    if picture == "descriptive_stats":
        assert list(found.index) == ["a", "b"]
        assert found.equals(fs.visualize_featuregroup_descriptive_stats("players"))
    else:
        assert "Training dataset players_1" in said(found)


@pytest.mark.parametrize("picture", ["distributions", "correlations", "clusters", "descriptive_stats"])
def test_blocks_that_are_not_there(of, picture):
    nothing = {"descriptive": False, "correlations": False, "histograms": False, "clusters": False}
    fs = of({"a": normal()}, **nothing)
    for kind, update in (
        ("featuregroup", "update_featuregroup_stats"),
        ("training_dataset", "update_training_dataset_stats"),
    ):
        with pytest.raises(StatisticsMissingError, match=rf"fs\.{update}\('players'\)"):
            getattr(fs, f"visualize_{kind}_{picture}")("players")


def test_a_block_that_was_skipped_says_why(of):
    fs = of({f"f{number}": normal() for number in range(51)})
    with pytest.raises(StatisticsMissingError, match="51 numeric columns, and a correlation matrix has at most 50"):
        fs.visualize_featuregroup_correlations("players")


def test_without_matplotlib(of, monkeypatch):
    fs = of({"a": normal(), "b": normal()})
    for module in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for picture in ("distributions", "correlations", "clusters"):
        with pytest.raises(MissingExtraError, match=r"pip install 'oasthouse-cloud-sdk\[plots\]'"):
            getattr(fs, f"visualize_featuregroup_{picture}")("players")
    assert len(fs.visualize_featuregroup_descriptive_stats("players")) == 2


@pytest.fixture
def notebook(monkeypatch):
    """What a notebook's kernel displays, in the cell that `shell` is at."""
    displayed = []
    shell = SimpleNamespace(kernel=object(), execution_count=1)
    display = SimpleNamespace(display=lambda bundle, **_: displayed.append(bundle))
    # matplotlib asks IPython's version when the first canvas of a process is made.
    ipython = SimpleNamespace(get_ipython=lambda: shell, display=display, version_info=(9, 0, 0))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return SimpleNamespace(displayed=displayed, shell=shell)


def test_a_notebook_shows_a_picture_once(of, notebook):
    figure = of({"a": normal()}).visualize_featuregroup_distributions("players")
    assert [bundle["image/png"][:4] for bundle in notebook.displayed] == [b"\x89PNG"]
    figure._ipython_display_()
    assert len(notebook.displayed) == 1, "as the value of the same cell"
    notebook.shell.execution_count = 2
    figure._ipython_display_()
    assert len(notebook.displayed) == 2


def test_a_notebook_shows_nothing_that_is_not_to_be_plotted(of, notebook):
    of({"a": normal()}).visualize_featuregroup_distributions("players", plot=False)
    assert notebook.displayed == []
