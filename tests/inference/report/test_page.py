import re
from html.parser import HTMLParser

import pytest
import torch
from PIL import Image

from weclip.inference.report.charts import class_bars, line_chart, nice_ticks
from weclip.inference.report.page import Report, write_report
from weclip.inference.report.scenes import SceneRow
from weclip.inference.scores.evaluate import score_label_maps
from weclip.inference.scores.record import evaluation_record

NAMES = ["background", "cat <&>", "dog"]
COLOURS = {"background": (0, 0, 0), "cat <&>": (128, 0, 0), "dog": (7, 8, 9)}
VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "circle", "line"}


class Balance(HTMLParser):
    """Fails on tags that are not closed in order; collects addresses."""

    def __init__(self):
        super().__init__()
        self.open, self.sources, self.tags = [], [], set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def record(kind, miss, group_of=None, **how):
    mask = torch.tensor([[0, 0, 1, 1]])
    label_map = mask.clone()
    label_map[0, :miss] = 2
    result = score_label_maps(
        [("seen/a", label_map, mask), ("new/b", mask, mask)],
        num_classes=3,
        group_of=group_of,
        **how,
    )
    return evaluation_record(
        result,
        class_names=NAMES,
        kind=kind,
        split="val <1>",
        protocol={
            "long_side": None,
            "scales": (1.0,),
            "flip": False,
            "crf": False,
            "precision": "float32",
            "tags_used": kind != "segmentation",
            "unsure": "wrong",
            "missing": {"count": 0, "names": []},
        },
        checkpoint="model.safetensors",
        seed=3,
        versions={"weclip": "0.1.0"},
    )


def page(tmp_path, **changes):
    pictures = [("image", Image.new("RGB", (8, 8))), ("CAM", Image.new("P", (900, 9)))]
    values = {
        "title": "A run <b>",
        "scores": {
            "CAM": record("cam", 2, lambda name: name.split("/")[0]),
            "Segmentation": record("segmentation", 1, lambda name: name.split("/")[0]),
            "Segmentation, 2 scales": record("segmentation", 0),
        },
        "curves": {"loss": [(0, 2.0), (100, 1.0)]},
        "scenes": [SceneRow("s<1>", "best", pictures)],
        "class_colours": COLOURS,
        "credits": ["Drawings: A & B"],
        "settings": {"train": {"steps": 600}, "faithful": False},
    }
    path = tmp_path / "report.html"
    write_report(path, Report(**{**values, **changes}))
    return path.read_text(encoding="utf-8")


def test_page_is_well_formed_escaped_and_self_contained(tmp_path):
    text = page(tmp_path)
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert "script" not in parser.tags
    assert "link" not in parser.tags
    assert len(parser.sources) == 2
    assert all(source.startswith("data:image/png;base64,") for source in parser.sources)
    assert "http" not in text
    assert not re.search(r"\$[a-z{]", text)
    for escaped in (
        "A run &lt;b&gt;",
        "cat &lt;&amp;&gt;",
        "val &lt;1&gt;",
        "s&lt;1&gt;",
        "A &amp; B",
    ):
        assert escaped in text
    for raw in ("<b>", "cat <", "val <1", "s<1>"):
        assert raw not in text


def test_page_shows_scores_groups_and_settings(tmp_path):
    text = page(tmp_path)
    cards = re.findall(r'class="number">([^<]*)<', text)
    assert cards == ["75.0", "87.5", "100.0"]
    assert text.count('class="arrow"') == 1  # from one kind to the next
    bars = re.findall(r'class="bar ([\w-]+)" style="width:([\d.]+)%"', text)
    assert bars[:3] == [("cam", "50.0"), ("segmentation", "75.0"), ("series-2", "100.0")]
    assert "Segmentation, 2 scales" in text
    assert "tags given" in text
    assert "train.steps" in text
    assert ">seen<" in text
    assert ">new<" in text
    assert "Not in the ground truth: dog." in text
    assert 'style="background:rgb(7,8,9)"></span>dog<' in text
    assert "prefers-color-scheme: dark" in text


def masks_page(tmp_path, names):
    scores = {
        name: record("masks", miss, boundary=True, unsure=True) for miss, name in enumerate(names)
    }
    pairs = [
        {"first": "a<1>", "second": "b", "differ": 0.25, "first_right": 0.5}
        | {"second_right": 0.375, "both_wrong": None}
    ]
    changes = {"scores": scores, "pairs": pairs, "curves": None, "introduction": "x < y"}
    return page(tmp_path, difference_colours={"only a<1> right": (1, 2, 3)}, **changes)


def test_page_of_masks_compares_records_of_one_kind(tmp_path):
    text = masks_page(tmp_path, ["a<1>", "b"])
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert re.findall(r'class="number">([^<]*)<', text) == ["100.0", "87.5"]
    assert 'class="arrow"' not in text
    assert "Trained from" not in text
    assert "Training" not in text
    assert "x &lt; y" in text
    assert "a<1>" not in text
    row = "a&lt;1&gt;</td><td>b</td>"
    numbers = "".join(f"<td class=num>{value}</td>" for value in ("25.0", "50.0", "37.5", "–"))
    assert row + numbers in text
    assert 'style="background:rgb(1,2,3)"></span>only a&lt;1&gt; right<' in text
    assert ".series-0 { background: rgb(0,114,178); }" in text
    assert ".series-1-edge { border-top-color: rgb(230,159,0); }" in text


def test_page_has_boundary_iou_in_the_table_and_per_class(tmp_path):
    text = masks_page(tmp_path, ["a", "b"])
    assert "<th class=num>boundary IoU</th>" in text
    scores = record("masks", 1, boundary=True, unsure=True)
    assert f"<td class=num>{100 * scores['boundary_iou']:.1f}</td>" in text
    iou, boundary = text.split("<h2>Boundary IoU per class, %</h2>")
    assert re.findall(r"width:([\d.]+)%", iou) == ["100.0", "100.0", "100.0", "75.0"]
    expected = scores["per_class_boundary_iou"]
    assert f"width:{100 * expected['background']:.1f}%" in boundary
    assert "Boundary IoU per class" not in page(tmp_path)


def test_records_have_the_colours_of_difference_pictures(tmp_path):
    pictured = {"only CAM right": (1, 2, 3), "all wrong": (4, 5, 6)}
    text = page(tmp_path, difference_colours=pictured)
    cards = re.findall(r'class="card ([\w-]+)-edge"', text)
    assert cards == ["series-0", "series-1", "series-2"]
    one = page(tmp_path, difference_colours={"wrong": (1, 2, 3)})
    cards = re.findall(r'class="card ([\w-]+)-edge"', one)
    assert cards == ["cam", "segmentation", "series-2"]


def test_page_without_groups_curves_or_scenes(tmp_path):
    text = page(tmp_path, scores={"CAM": record("cam", 0)}, curves={}, scenes=[], credits=[])
    assert "No curves were logged." in text
    assert "No scenes." in text
    assert "compact>" not in text


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (0.401, 0.55, [0.4, 0.45, 0.5, 0.55]),
        (0, 0.002, [0, 0.0005, 0.001, 0.0015, 0.002]),
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
    ],
)
def test_ticks_are_round_and_span_the_values(low, high, expected):
    assert nice_ticks(low, high, 5) == expected


def test_ticks_of_a_constant_curve():
    ticks = nice_ticks(3, 3, 5)
    assert ticks[0] < 3 < ticks[-1]
    assert nice_ticks(0, 0, 5)[-1] > 0


def test_curve_spans_the_plot():
    chart = line_chart([(100, 1.0), (0, 0.0)], x_label="step", name="a<b")
    points = re.search(r'points="([^"]*)"', chart).group(1)
    assert points == "54.0,190.0 408.0,10.0"
    assert "a&lt;b: 2 values, last 1" in chart


@pytest.mark.parametrize(
    "points", [[(5, 1.0)], [(0, 0.0), (10, 0.0)], [(0, -2.0), (1, float("nan")), (2, -3.0)]]
)
def test_odd_curves_have_finite_points(points):
    chart = line_chart(points, x_label="step", name="curve")
    numbers = [float(n) for n in re.findall(r"-?[\d.]+", re.search(r'points="([^"]*)', chart)[1])]
    assert all(0 <= number <= 420 for number in numbers)
    assert "nan" not in chart


def test_curve_without_values():
    assert "No values" in line_chart([(0, float("nan"))], x_label="step", name="x")


def test_bars_are_sorted_by_the_last_series():
    text = class_bars(
        {"one": {"a": 0.9, "b": 0.1, "c": None}, "two": {"a": 0.2, "b": 0.8, "c": None}},
        colours={"one": "cam", "two": "segmentation"},
    )
    assert re.findall(r'class-name">(\w)<', text) == ["b", "a"]
    assert re.findall(r"width:([\d.]+)%", text) == ["10.0", "80.0", "90.0", "20.0"]
    assert "Not in the ground truth: c." in text
