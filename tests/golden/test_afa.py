"""AFA against tensors of the published code; see the README of the golden folder."""

import pytest
import torch
from tests.golden.afa_case import CASES, FOLDER, KINDS, NEEDS_CASES, STEPS, Case, ours

from weclip.labels.spreading import propagate
from weclip.labels.two_scores.guide import colours
from weclip.labels.two_scores.labels import initial_scores, refined_in_box
from weclip.labels.two_scores.mirrored import maps_of_tags, resize
from weclip.labels.two_scores.scores import both_filled, tag_softmax, thresholded_label
from weclip.methods.losses.affinity import affinity_labels
from weclip.training.schedule import RATE_FACTOR, build_optimizer, learning_rate

pytestmark = NEEDS_CASES


@pytest.fixture(
    scope="module",
    params=[(name, kind) for name in CASES for kind in KINDS],
    ids=lambda pair: "-".join(pair),
)
def case(request) -> Case:
    name, kind = request.param
    return Case(FOLDER / name, *KINDS[kind])


def test_guide(case):
    for truncated in [True] if "guide" in case.expected else []:
        levels = 255 * colours(case.batch.image, torch.float32, truncated=truncated)
        assert torch.equal(levels.round().to(torch.uint8), case.expected["guide"])


def test_network(case):
    seen, expected = case.seen, case.expected
    case.close(seen.class_logits, expected["class_logits"])
    case.close(seen.affinity, expected["affinity"])
    case.close(seen.logits[-1], expected["seg_logits"])
    raw = maps_of_tags(case.method.network.class_maps(seen.features), case.slots)
    for i, tags in case.each():
        case.close(raw[i, : len(tags)], expected[f"cam_raw_{i}"])


def test_maps(case):
    case.close(case.runs.affinity[-1], case.expected["affinity_large"])
    for i, tags in case.each():
        case.close(case.runs.cam[i, : len(tags)], case.expected[f"cam_{i}"])
        small = resize(case.runs.cam, case.runs.patch_grid)[i, : len(tags)]
        case.close(small, case.expected[f"cam_small_{i}"])


def test_initial_label(case):
    how = (case.slots, case.guide, case.method.backgrounds)
    low, high = initial_scores(case.runs.cam, *how).chunk(2, dim=1)
    for i, tags in case.each():
        planes = slice(0, 1 + len(tags))
        case.close(low[i, planes], case.expected[f"par_initial_low_{i}"])
        case.close(high[i, planes], case.expected[f"par_initial_high_{i}"])


def test_propagated_label(case):
    method, runs, expected = case.method, case.runs, case.expected
    small = resize(runs.cam, runs.patch_grid)
    transition = method.transition(runs)
    boxes, spread = case.batch.boxes, {}
    for name, background in zip(("low", "high"), method.backgrounds.both, strict=True):
        scores = tag_softmax(small, case.slots.filled, background)
        spread[name] = propagate(scores, transition)
        for i, tags in case.each():
            case.close(spread[name][i, : 1 + len(tags)], expected[f"propagated_{name}_{i}"])
    both = torch.cat([spread["low"], spread["high"]], dim=1)
    at_pixels, filled = resize(both, case.size), both_filled(case.slots.filled)
    for i, tags in case.each():
        one = slice(i, i + 1)
        guide = case.guide[one]
        refined = refined_in_box(at_pixels[one], filled[one], guide, boxes[i], method.backgrounds)
        for name, scores in zip(("low", "high"), refined[0].chunk(2), strict=True):
            case.close(scores[: 1 + len(tags)], expected[f"par_propagated_{name}_{i}"])


def test_cam_label(case):
    use = case.method.settings
    low, high = (
        thresholded_label(case.runs.cam, case.slots.index, each)
        for each in (use.low_background, use.high_background)
    )
    label = torch.where(high > 0, high, torch.where(low > 0, 255, 0))
    expected = case.expected["cam_label"].long()
    inside = torch.zeros(expected.shape, dtype=torch.bool)
    for i, (y0, x0, y1, x1) in enumerate(case.batch.boxes):
        inside[i, y0:y1, x0:x1] = True
    case.agree(label.masked_fill(~inside, 255), expected)


def test_four_steps(case):
    method, config, expected = case.make_method(), case.config, case.expected
    optim, meta = config.optim, case.meta
    optimizer = build_optimizer(
        method.parameter_groups(),
        weight_decay=optim.weight_decay,
        betas=optim.betas,
        eps=optim.eps,
    )
    for step in range(STEPS):
        rate = learning_rate(
            step,
            peak=meta["base_rate"],
            steps=meta["max_steps"],
            warmup_steps=meta["warmup_steps"],
            warmup_ratio=optim.warmup_ratio,
            power=optim.power,
        )
        for group in optimizer.param_groups:
            group["lr"] = rate * group[RATE_FACTOR]
        found = [group["lr"] for group in optimizer.param_groups]
        assert found == pytest.approx(expected["lr"][step, [0, 2]].tolist(), rel=1e-5)
        output = method.training_step(case.batch, step)
        check_labels(case, output, method, step)
        terms = [output.terms[n] for n in ("classification", "segmentation", "affinity", "loss")]
        case.close(torch.stack(terms), expected["losses"][step])
        if step == 0:
            norm = method.network.segmenter.norm
            case.close(norm.running_mean, expected["bn_running_mean_after_first_step"])
            case.close(norm.running_var, expected["bn_running_var_after_first_step"])
        optimizer.zero_grad()
        output.loss.backward()
        if step in (0, STEPS - 1):
            check_gradients(case, method, f"grad{step}.")
        optimizer.step()
    check_after(case, method)


def check_labels(case, output, method, step):
    """Both labels, what the losses saw, and the pairs."""
    detail, expected = output.detail, case.expected
    how = (detail.runs, detail.slots, case.guide, case.batch)
    initial, spread = method.initial_label(*how), method.propagated_label(*how)
    case.agree(initial, expected["steps_initial_label"][step])
    case.agree(spread, expected["steps_propagated_label"][step])
    case.agree(output.target, expected["steps_target"][step])
    grid, radius = detail.seen.features.patch_grid, case.config.loss.affinity.radius
    pairs = affinity_labels(detail.pairs, grid, radius)
    case.agree(pairs, expected["steps_affinity_label"][step])


def check_gradients(case, method, prefix):
    found = dict(method.network.named_parameters())
    named = {k.removeprefix(prefix): v for k, v in case.expected.items() if k.startswith(prefix)}
    assert named
    for name, value in ours(named).items():
        if found[name].requires_grad:
            case.close(found[name].grad, value)


def check_after(case, method):
    found = method.network.state_dict()
    named = {k.removeprefix("after."): v for k, v in case.expected.items() if "after." in k[:6]}
    assert named
    exact = case.kind == torch.float64
    for name, value in ours(named).items():
        if exact or not name.endswith("running_mean"):
            case.close(found[name], value, None if exact else 3e-4)
