"""A whole checkpoint of AFA and its test protocol; see the README of the golden folder."""

import json
from functools import partial

import pytest
import torch
from safetensors.torch import load_file
from tests.golden.afa_case import FOLDER, KINDS, NEEDS_CASES, Case

from weclip.build.method import compose, load_trained
from weclip.config_file import load_config
from weclip.inference.multi_scale import multi_scale_logits
from weclip.inference.prediction import fitted_size
from weclip.labels.spreading import propagate
from weclip.labels.tag_slots import tag_slots
from weclip.labels.two_scores.mirrored import resize
from weclip.labels.two_scores.scores import tag_softmax
from weclip.methods.heads.published import read_published
from weclip.methods.heads.released import whole_state
from weclip.methods.method import total_of_one
from weclip.tasks.load.start import mit_of_model

pytestmark = NEEDS_CASES


@pytest.fixture(scope="module", params=KINDS)
def evaluated(request):
    """What is expected of `evaluation_checkpoint`, and a case that holds its method."""
    path = FOLDER / "evaluation.safetensors"
    if not path.exists():
        pytest.skip("no evaluation tensors")
    meta = json.loads((FOLDER / "evaluation.json").read_text())
    kind, tolerance = KINDS[request.param]
    checkpoint = FOLDER / "evaluation_checkpoint.safetensors"
    state = whole_state(read_published(checkpoint), checkpoint)
    config = load_config(f"{meta['dataset']}-afa", ["data.root=.", "faithful=true"])
    config.method.afa.width = len(state["segmenter.norm.weight"])
    mit = mit_of_model(state, config, checkpoint)
    method = compose(config, len(state["segmenter.classifier.bias"]), mit=mit)
    load_trained(method, state, checkpoint)
    return meta, load_file(path), Case(FOLDER, kind, tolerance), method.to(kind).eval()


def test_evaluation(evaluated):
    meta, expected, case, method = evaluated
    size = fitted_size(tuple(meta["image_size"]), meta["long_side"], 1)
    image = resize(expected["image"].to(case.kind), size)
    merged = partial(multi_scale_logits, method, image)
    with torch.no_grad():
        single = merged(scales=(1.0,), flip=False)
        case.close(single, expected["logits_single_scale"])
        for i, scale in enumerate(meta["scales"]):
            at_scale = merged(scales=(scale,), flip=True)
            at_scale = resize(at_scale, tuple(single.shape[2:]))
            case.close(at_scale, expected[f"logits_scale_{i}"])
        logits = merged(scales=meta["scales"], flip=True, merge="max")
        case.close(logits, expected["logits_multi_scale_flip"])
    full = tuple(expected["image"].shape[2:])
    for found, name in ((single, "prediction_single_scale"), (logits, "prediction")):
        case.agree(resize(found, full).argmax(1)[0], expected[name])


def test_validation_maps(evaluated):
    meta, expected, case, method = evaluated
    image, tags = expected["image"].to(case.kind), tuple(meta["tags"])
    with torch.no_grad():
        seen = method.trained(image, None, total_of_one)
    case.close(seen.class_logits, expected["class_logits"])
    case.close(seen.logits, expected["validation_logits"])
    slots = tag_slots(tags, method.network.classifier.out_channels)
    runs = method.look(image, slots, 1, None, total_of_one)
    case.close(runs.cam[0], expected["validation_cam"])
    low = method.settings.low_background
    scores = tag_softmax(resize(runs.cam, runs.patch_grid), slots.filled, low)
    size = tuple(image.shape[2:])
    spread = resize(propagate(scores, method.transition(runs)), size)
    case.close(spread[0], expected["validation_propagated"])
    maps = method.label_maps(image, tags, size=size, step=0).label_map
    case.agree(maps["cam"], expected["validation_cam_label"])
    case.agree(maps["refined_cam"], expected["validation_propagated_label"])
