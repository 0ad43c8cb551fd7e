"""What every method must do: one test class, run over all of them.

A method joins by adding a `MethodCase` to `METHODS`. It speaks the protocol of
`methods/method.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from tests.methods.tiny_afa import tiny_afa
from tests.methods.tiny_weclip import CLASSES, PATCH, make_batch, tiny_weclip, tiny_weclip_plus
from torch import nn

from weclip.methods.labelling import LABEL_KINDS
from weclip.training.schedule import build_optimizer


@dataclass(frozen=True)
class MethodCase:
    """A method under contract.

    Attributes:
        name: Shown in the test's name.
        build: A new method on a tiny random CLIP; the same weights every time.
        classes: C of its logits.
        patch: Pixels per logit.
        sizes: Images that it must take.
        frozen: Whether it has frozen parts.
    """

    name: str
    build: Callable[[], nn.Module]
    classes: int
    patch: int
    sizes: tuple[tuple[int, int], ...] = ((32, 48), (33, 47), (8, 8), (15, 100), (64, 9))
    frozen: bool = True


METHODS = [
    MethodCase("weclip", tiny_weclip, CLASSES, PATCH),
    MethodCase("weclip_plus", tiny_weclip_plus, CLASSES, PATCH),
    MethodCase("afa", tiny_afa, CLASSES, 4, ((32, 48), (33, 47), (32, 100)), frozen=False),
]


def optimizer_of(method):
    return build_optimizer(
        method.parameter_groups(), weight_decay=0.01, betas=(0.9, 0.999), eps=1e-8
    )


def train(method, batch, *, steps=2, rate=1e-2, seed=0):
    """Train as the loop does; returns the losses."""
    optimizer = optimizer_of(method)
    for group in optimizer.param_groups:
        group["lr"] = rate
    method.train()
    torch.manual_seed(seed)
    losses = []
    for step in range(steps):
        output = method.training_step(batch, step)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.loss.item())
    return losses


def optimised(method):
    """The parameters that are trained; some of `trained` may stay as they are."""
    return [p for p in method.trained.parameters() if p.requires_grad]


def weights(module):
    return {name: value.clone() for name, value in module.state_dict(keep_vars=False).items()}


def same_weights(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


class MethodContract:
    """Subclass it in a test file with a name that starts with `Test`."""

    @pytest.fixture(params=METHODS, ids=lambda case: case.name)
    def case(self, request):
        return request.param

    @pytest.fixture
    def method(self, case):
        return case.build()

    def test_logits_have_one_cell_per_patch(self, case, method):
        method.eval()
        for size in case.sizes:
            image = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
            logits = method(image)
            whole = [side // case.patch for side in size]
            begun = [-(-side // case.patch) for side in size]  # a convolution pads its image
            assert logits.shape == (2, case.classes, *(whole if case.frozen else begun))
            assert logits.dtype == torch.float32
            assert torch.equal(logits, method(image.float()))

    def test_images_of_a_batch_do_not_see_each_other(self, method):
        method.eval()
        image = make_batch().image
        together = method(image)
        for i in range(len(image)):
            torch.testing.assert_close(
                together[i : i + 1], method(image[i : i + 1]), rtol=1e-4, atol=1e-5
            )

    def test_gradient_reaches_the_trained_part_and_nothing_else(self, method):
        method.train()
        method.training_step(make_batch(), 0).loss.backward()
        trained = {id(p) for p in optimised(method)}
        for name, parameter in method.named_parameters():
            assert parameter.requires_grad == (id(parameter) in trained), name
            if id(parameter) in trained:
                assert parameter.grad is not None, name
                assert parameter.grad.isfinite().all(), name
                assert parameter.grad.any(), name
            else:
                assert parameter.grad is None, name

    def test_inputs_are_left_alone(self, method):
        batch = make_batch()
        image, tags = batch.image.clone(), batch.tags.clone()
        method.training_step(batch, 0)
        assert torch.equal(batch.image, image)
        assert torch.equal(batch.tags, tags)

    def test_trained_part_saved_and_loaded_gives_equal_logits(self, case, method, tmp_path):
        train(method, make_batch())
        torch.save(method.trained.state_dict(), tmp_path / "trained.pt")
        fresh = case.build()
        image = make_batch().image
        assert not torch.equal(fresh.eval()(image), method.eval()(image))
        fresh.trained.load_state_dict(torch.load(tmp_path / "trained.pt", weights_only=True))
        assert torch.equal(fresh(image), method(image))

    def test_same_seed_same_weights(self, case):
        one, other, third = case.build(), case.build(), case.build()
        assert train(one, make_batch()) == train(other, make_batch())
        assert same_weights(weights(one), weights(other))
        train(third, make_batch(), seed=1)  # dropout draws other channels
        assert not same_weights(weights(one), weights(third))

    def test_forward_leaves_no_trace(self, method):
        method.eval()
        image = make_batch().image
        before, first = weights(method), method(image)
        method.training_step(make_batch(), 10**6)
        assert torch.equal(first, method(image))
        assert same_weights(before, weights(method))

    @pytest.mark.parametrize(
        "tags",
        [((), (1,)), ((), ()), ((0, 1, 2, 3), (4,)), ((0, 1, 2, 3, 4),), ((2,), (2,))],
        ids=["one without", "all without", "all but one", "all", "one and the same"],
    )
    @pytest.mark.parametrize("step", [0, 10**6])
    def test_any_number_of_tags(self, method, tags, step):
        method.train()
        output = method.training_step(make_batch(tags), step)
        assert all(term.isfinite() for term in output.terms.values())
        output.loss.backward()
        gradients = [p.grad for p in optimised(method)]
        assert all(g.isfinite().all() for g in gradients)
        for labels, allowed in zip(output.target, tags, strict=True):
            assert set(labels.unique().tolist()) <= {0, 255, *(tag + 1 for tag in allowed)}

    def test_loss_falls(self, method):
        losses = train(method, make_batch(((0,), (3,))), steps=12)
        assert losses[-1] < 0.8 * losses[0]

    def test_frozen_weights_are_bit_equal_after_training(self, method):
        names = {n for n, p in method.named_parameters() if not p.requires_grad}

        def frozen():
            return {n: v for n, v in weights(method).items() if n in names}

        before, trained = frozen(), weights(method.trained)
        assert before
        train(method, make_batch())
        assert same_weights(before, frozen())
        assert not same_weights(trained, weights(method.trained))

    def test_frozen_parts_stay_in_eval_mode(self, case, method):
        if not case.frozen:
            pytest.skip("no part is frozen as a whole")
        method.train()
        assert method.trained.training
        frozen = {id(p) for p in method.parameters() if not p.requires_grad}
        holders = [
            m for m in method.modules() if any(id(p) in frozen for p in m.parameters(recurse=False))
        ]
        assert holders
        assert not any(module.training for module in holders)

    def test_optimizer_holds_the_trained_parameters_only(self, method):
        held = {id(p) for group in optimizer_of(method).param_groups for p in group["params"]}
        assert held == {id(p) for p in method.parameters() if p.requires_grad}

    def test_bf16_autocast(self, method):
        method.train()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = method.training_step(make_batch(), 0)
        assert output.loss.dtype == torch.float32
        output.loss.backward()
        assert all(p.grad.isfinite().all() for p in optimised(method))

    def test_it_names_the_frozen_backbones_that_it_needs(self, case, method):
        assert ("clip" in method.needs) == case.frozen
        assert all(isinstance(name, str) for name in method.needs)

    def test_parameter_groups_hold_each_trained_parameter_once(self, method):
        held = [id(p) for group in method.parameter_groups() for p in group.parameters]
        assert len(held) == len(set(held))
        assert set(held) == {id(p) for p in optimised(method)}

    @pytest.mark.parametrize("tags", [(), (1, 3)])
    def test_label_maps_have_the_size_that_is_asked_for(self, method, tags):
        method.eval()
        image = make_batch().image[:1].float()
        maps = method.label_maps(image, tags, size=(21, 30), step=10**6)
        assert set(maps.label_map) <= set(LABEL_KINDS)
        for label_map in maps.label_map.values():
            assert label_map.shape == (21, 30)
            assert set(label_map.unique().tolist()) <= {0, *(tag + 1 for tag in tags)}
