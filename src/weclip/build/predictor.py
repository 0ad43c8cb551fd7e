"""A method with its test protocol, from the configuration."""

import torch

from weclip.backbones.precision import chosen_precision, store_frozen
from weclip.config import Config
from weclip.inference.predictor import Predictor
from weclip.labels.dense_crf import installed_crf
from weclip.methods.method import Method


def build_predictor(config: Config, method: Method) -> Predictor:
    """The method with the test protocol of `config.eval`, where the method is.

    Its frozen encoders compute in the protocol's precision alone from here on.

    Raises:
        InputError: A CRF is asked for but not installed, or the device lacks the precision.
    """
    precision = eval_precision(config, method.device)
    store_frozen(method, precision)
    return Predictor(
        method,
        long_side=config.eval.side,
        scales=tuple(config.eval.scales),
        flip=config.eval.flip,
        scale_merge=config.eval.scale_merge,
        crf=installed_crf() if config.eval.crf else None,
        device=method.device,
        tiling=config.eval.tiling,
        precision=precision,
    )


def eval_precision(config: Config, device: torch.device | str) -> str:
    """In what predictions and scores are computed on a device; errors as in `chosen_precision`."""
    return chosen_precision(config.eval.precision, "eval.precision", device)
