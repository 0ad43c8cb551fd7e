"""What `weclip label --export` writes for other tools comes back, and what is odd is one line."""

import json
import re
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image
from tests.exports.decoders import CLASSES, NAMES, write_output

from weclip.data.masks.mask_files import save_mask
from weclip.data.masks.outlines import outlines
from weclip.data.masks.tools.source import read_masks
from weclip.exports.formats import EXPORTS
from weclip.system.errors import InputError


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """All exports, and the masks that they were made from; do not change them."""
    labelled, masks = write_output(tmp_path_factory.mktemp("exports"))
    for name in ("cvat", "label-studio", "fiftyone", "huggingface"):
        EXPORTS[name](labelled)
    with ZipFile(labelled.out / "cvat.zip") as archive:
        archive.extractall(labelled.out / "cvat")
    return labelled.out, masks


def as_annotations(source: Path, target: Path) -> Path:
    """Tasks of Label Studio whose predictions were accepted as they are."""
    tasks = json.loads(source.read_text())
    for task in tasks:
        task["annotations"] = task.pop("predictions")
    target.write_text(json.dumps(tasks))
    return target


def cvat_xml(masks, path: Path) -> Path:
    """Masks as polygons of CVAT; of every other image as its `<mask>`."""
    rows = []
    for number, (name, mask) in enumerate(masks.items()):
        height, width = mask.shape
        shapes = ['<tag label="dog" source="manual"/>']
        for class_id in np.setdiff1d(mask, [0]).tolist():
            label = "unsure" if class_id == 255 else CLASSES.names[class_id - 1]
            label = label.replace("&", "&amp;").replace("<", "&lt;")
            region = mask == class_id
            if number % 2:
                flat = np.concatenate([[False], region.ravel()])
                starts = np.flatnonzero(flat[1:] != flat[:-1])
                runs = np.diff([0, *starts, region.size])
                box = f'left="0" top="0" width="{width}" height="{height}"'
                text = ", ".join(map(str, runs))
                shapes.append(f'<mask label="{label}" rle="{text}" {box}/>')
                continue
            for each in outlines(region):
                points = ";".join(f"{x}.00,{y}.00" for x, y in each.tolist())
                shapes.append(f'<polygon label="{label}" points="{points}" z_order="0"/>')
        size = f'width="{width}" height="{height}"'
        rows.append(f'<image id="{number}" name="{name}.png" {size}>{"".join(shapes)}</image>')
    empty = '<image id="9" name="nothing.png" width="4" height="4"/>'
    text = f"<annotations>{''.join(rows)}{empty}</annotations>"
    path.write_text(text, encoding="utf-8")
    return path


def drawn(source: Path, masks) -> dict[str, np.ndarray]:
    """Masks by the name of their image: of the first file of theirs that is one."""
    found = {}
    for each in read_masks(source, CLASSES)[1]:
        names = [file.removesuffix(".png") for file in each.files]
        name = next(name for name in names if name in masks)
        found[name] = each.draw(masks[name].shape)
    return found


@pytest.mark.parametrize("tool", ["cvat", "masks", "fiftyone/labels", "huggingface/labels"])
def test_folders_come_back(output, tool):
    out, masks = output
    found = drawn(out / tool, masks)
    assert found.keys() == {*NAMES}
    for name, mask in masks.items():
        np.testing.assert_array_equal(found[name], mask)


def test_label_studio_comes_back(output, tmp_path):
    out, masks = output
    path = as_annotations(out / "label-studio" / "tasks.json", tmp_path / "tasks.json")
    for source in (path, tmp_path):
        assert read_masks(source, CLASSES)[0] == "Label Studio, regions"
        for name, mask in drawn(source, masks).items():
            np.testing.assert_array_equal(mask, masks[name])
    assert drawn(out / "label-studio" / "tasks.json", masks) == {}  # predictions say nothing


def test_polygons_of_label_studio(tmp_path):
    value = {"points": [[0, 0], [50, 0], [50, 100], [0, 100]], "polygonlabels": ["sofa & <bed>"]}
    size = {"original_width": 4, "original_height": 2}
    result = [{"type": "polygonlabels", "value": value, **size}, {"type": "choices", "value": {}}]
    task = {"data": {"image": "a.png"}, "annotations": [{"result": result}]}
    (tmp_path / "t.json").write_text(json.dumps([task]))
    assert drawn(tmp_path / "t.json", {"a": np.zeros((2, 4))})["a"].tolist() == [[2, 2, 0, 0]] * 2


def test_cvat_shapes_come_back(output, tmp_path):
    _, masks = output
    path = cvat_xml(masks, tmp_path / "annotations.xml")
    for source in (path, tmp_path):
        found = drawn(source, masks)
        assert found.keys() == {name for name in NAMES if masks[name].any()}
        for name, mask in found.items():
            np.testing.assert_array_equal(mask, masks[name])


def label_map(folder: Path, *rows: str) -> Path:
    (folder / "SegmentationClass").mkdir(exist_ok=True)
    (folder / "labelmap.txt").write_text("\n".join(["# label:color_rgb:parts:actions", *rows]))
    Image.new("RGB", (2, 2), (1, 2, 3)).save(folder / "SegmentationClass" / "a.png")
    return folder


def xml(folder: Path, shape: str) -> Path:
    image = f'<image name="a.png" width="2" height="2">{shape}</image>'
    (folder / "a.xml").write_text(f"<annotations>{image}</annotations>")
    return folder / "a.xml"


def task(folder: Path, annotations: object) -> Path:
    (folder / "a.json").write_text(
        json.dumps([{"data": {"image": "a.png"}, "annotations": annotations}])
    )
    return folder / "a.json"


def regions(*values: dict, side: int = 2) -> list:
    size = {"original_width": side, "original_height": side}
    return [{"result": [{"type": "region", "value": value, **size} for value in values]}]


BOX = {"x": 0, "y": 0, "width": 9, "height": 9, "rectanglelabels": ["dog"]}
BRUSH = {"format": "rle", "rle": [0, 0], "brushlabels": ["dog"]}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda f: f / "nowhere", "no masks here; give CVAT's"),
        (lambda f: f, "no masks in it; give CVAT's"),
        (lambda f: label_map(f, "zebra:9,9,9::"), "line 2: the label 'zebra' is no class"),
        (lambda f: label_map(f, "dog:9,9,9::", "vélo:9,9,9::"), "line 3: the colour of 'vélo' is"),
        (lambda f: label_map(f, "dog"), "'dog' is not 'label:red,green,blue::'"),
        (lambda f: label_map(f, "dog:9,9,9::"), "unknown colour #010203"),
        (lambda f: xml(f, '<box label="dog"/>'), "<box> is no area"),
        (lambda f: xml(f, '<polygon label="dgo" points="0,0;2,0;2,2"/>'), "did you mean 'dog'"),
        (lambda f: xml(f, '<polygon label="dog" points="0;2,0"/>'), "export it from CVAT again"),
        (lambda f: xml(f, '<mask label="dog" rle="3"/>'), "export it from CVAT again"),
        (lambda f: task(f, regions(BOX)), "region of type 'region' is no mask"),
        (lambda f: task(f, regions(BRUSH)), "ends early; export it from Label Studio again"),
        (lambda f: task(f, regions(BRUSH, side=3)), "drawn on an image of 3 x 3 pixels, but it is"),
        (lambda f: task(f, regions(BRUSH) * 2), "2 annotations; delete or cancel all but"),
        (lambda f: task(f, [{}]), "damaged: 'result' is missing"),
        (lambda f: task(f, 7), "damaged: something in it is of the wrong type"),
    ],
)
def test_what_is_not_understood_is_one_line(tmp_path, make, message):
    with pytest.raises(InputError, match=re.escape(message)) as error:
        [each.draw((2, 2)) for each in read_masks(make(tmp_path), CLASSES)[1]]
    assert "\n" not in str(error.value)


def test_a_mask_of_another_size_is_refused(tmp_path):
    save_mask(np.zeros((3, 5), np.uint8), tmp_path / "a.png")
    (mask,) = read_masks(tmp_path, CLASSES)[1]
    with pytest.raises(InputError, match=r"a.png: drawn on an image of 5 x 3 .* it is 4 x 3"):
        mask.draw((3, 4))
