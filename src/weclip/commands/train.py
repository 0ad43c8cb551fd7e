"""`weclip train`: from a configuration to a run folder with a trained model."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from omegaconf import OmegaConf
from rich.console import Console
from rich.progress import Progress
from torch import Tensor

from weclip.api import MODEL_NAME, clip_path
from weclip.backbones.clip_weights import Clip
from weclip.build import build_weclip
from weclip.commands.training_inputs import Inputs, make_loader, read_inputs, warn
from weclip.config import Config
from weclip.config_file import to_yaml
from weclip.data.classes import SHIPPED
from weclip.data.full_images import full_images
from weclip.errors import InputError
from weclip.files import RUN_MARKER, claim_folder, write_json, write_text
from weclip.inference.evaluate import evaluate_segmentation
from weclip.inference.predictor import Predictor
from weclip.inference.visualize import draw_step
from weclip.labels.pixel_refine import compile_for
from weclip.methods.weclip import WeClip
from weclip.provenance import versions
from weclip.training.checkpoint import Checkpoint, load_checkpoint
from weclip.training.loop import Evaluate, FitSettings, Hooks, Trainer, make_accelerator
from weclip.training.model_file import ModelFile, save_model_file
from weclip.training.runlog import RunLog, progress_bar
from weclip.training.schedule import build_optimizer, learning_rate

KIND = "training"
CONFIG_NAME = "config.yaml"
LAST_CHECKPOINT = Path("checkpoints") / "last.pt"
FREE_ON_RESUME = (
    "data.workers data.max_unreadable data.decoded_cache train.log_every train.image_every "
    "train.save_every"
).split()
"""Keys that may change between the parts of a run, since no result depends on them."""


def train(
    config: Config, out: Path, *, console: Console, resume: bool = False, overwrite: bool = False
) -> Path:
    """Train a model from images and tags.

    Args:
        config: Resolved configuration.
        out: Run folder.
        console: Where progress is shown.
        resume: Continue the run in `out`.
        overwrite: Replace the run in `out`.

    Returns:
        The model file.

    Raises:
        InputError: Anything given cannot be used; nothing was written.
        DivergedError: A loss was not finite.
    """
    inputs = read_inputs(config, console)
    checkpoint = read_checkpoint(config, out) if resume else None
    if resume:
        require_same_clip(out, inputs.clip)
    set_seed(config.train.seed)
    method = build_weclip(config, inputs.clip, inputs.classes)
    accelerator = make_accelerator(precision(config.train.precision))
    if checkpoint is None and accelerator.is_main_process:
        claim_folder(out, KIND, overwrite=overwrite, inputs=read_paths(config))
        write_text(out / CONFIG_NAME, to_yaml(config))
        marker = {"kind": KIND, "versions": versions(), "clip_sha256": inputs.clip.sha256}
        write_json(out / RUN_MARKER, marker)
    accelerator.wait_for_everyone()
    compiled = compile_for(accelerator.device)
    if compiled > 1:
        console.print(f"Compiled the pixel refinement in {compiled:.0f} s; kept for later runs.")
    with progress_bar(console) as progress:
        trainer = make_trainer(config, inputs, method, accelerator, out, progress)
        if checkpoint:
            resume_from(checkpoint, trainer, out)
        loader = make_loader(config, inputs)
        batches = loader.batches(
            start_step=trainer.step,
            process_index=accelerator.process_index,
            process_count=accelerator.num_processes,
            report=lambda message: warn(console, f"skipped: {message}"),
        )
        with RunLog(out, trainer.step, writes=accelerator.is_main_process) as log:
            trainer.fit(batches, log, progress)
    if loader.unreadable:
        warn(console, f"{len(loader.unreadable)} training images could not be read")
    return out / MODEL_NAME


def read_checkpoint(config: Config, out: Path) -> Checkpoint:
    """The last checkpoint of the run in `out`, unless the configuration has changed since."""
    checkpoint = load_checkpoint(out / LAST_CHECKPOINT)
    before, now = flatten(checkpoint.config), flatten(to_yaml(config))
    changed = [
        f"{key} was {before.get(key)}, now {now.get(key)}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key) and key not in FREE_ON_RESUME
    ]
    if changed:
        raise InputError(
            f"--resume {out}: the configuration has changed ({'; '.join(changed)}); "
            "give the same one, or start anew in another --out"
        )
    return checkpoint


def require_same_clip(out: Path, clip: Clip) -> None:
    """InputError if the run in `out` was begun with another CLIP, perhaps under the same name."""
    try:
        before = json.loads((out / RUN_MARKER).read_text(encoding="utf-8"))["clip_sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # a run of an earlier version does not tell
    if before != clip.sha256:
        raise InputError(
            f"--resume {out}: it was begun with another CLIP (SHA-256 {before[:12]}...) than "
            f"{clip.name} ({clip.sha256[:12]}...); give that one, or start anew in another --out"
        )


def resume_from(checkpoint: Checkpoint, trainer: Trainer, out: Path) -> None:
    """Restore a run; InputError if the checkpoint has other tensors than this model."""
    try:
        trainer.resume(checkpoint)
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError):
        raise InputError(
            f"{out / LAST_CHECKPOINT}: does not fit the model of this configuration: damaged, or "
            "of another version; start anew in another --out"
        ) from None


def read_paths(config: Config) -> list[Path]:
    """Files and folders of the user's that a configuration names; names of ours are none."""
    data = config.data
    named = [data.root, data.tags_file, None if data.classes in SHIPPED else data.classes]
    return [clip_path(config), *(Path(path) for path in named if path)]


def flatten(config_yaml: str) -> dict[str, object]:
    """Dotted key -> value of a configuration's YAML."""
    found: dict[str, object] = {}

    def visit(prefix: str, value: object) -> None:
        if isinstance(value, Mapping):
            for key, inner in value.items():
                visit(f"{prefix}{key}.", inner)
        else:
            found[prefix.rstrip(".")] = value

    visit("", OmegaConf.to_container(OmegaConf.create(config_yaml)))
    return found


def precision(choice: str) -> str:
    """What `auto` means here: bf16 where the processor or GPU has it, and float32 otherwise.

    Raises:
        InputError: fp16 without a GPU.
    """
    gpu = torch.cuda.is_available()
    if choice == "fp16" and not gpu:
        raise InputError("train.precision=fp16 needs a GPU; use auto, no or bf16")
    if choice != "auto":
        return choice
    processor = torch.cpu.get_capabilities()
    on_cpu = bool(processor.get("avx512_bf16") or processor.get("amx_bf16"))
    return "bf16" if (torch.cuda.is_bf16_supported() if gpu else on_cpu) else "no"


def make_trainer(
    config: Config,
    inputs: Inputs,
    method: WeClip,
    accelerator: Accelerator,
    out: Path,
    progress: Progress,
) -> Trainer:
    """Put the parts of a run together."""
    optim, run = config.optim, config.train
    optimizer = build_optimizer(
        method.decoder.parameters(),
        weight_decay=optim.weight_decay,
        betas=(optim.betas[0], optim.betas[1]),
        eps=optim.eps,
    )
    settings = FitSettings(
        steps=run.steps,
        learning_rate=lambda step: learning_rate(
            step,
            peak=optim.learning_rate,
            steps=run.steps,
            warmup_steps=optim.warmup_steps,
            warmup_ratio=optim.warmup_ratio,
            power=optim.power,
        ),
        log_every=run.log_every,
        image_every=run.image_every,
        eval_every=run.eval_every,
        save_every=run.save_every,
        best_metric=run.best_metric,
    )

    def save_model(decoder: Mapping[str, Tensor], step: int) -> None:
        clip = inputs.clip
        file = ModelFile(
            dict(decoder), to_yaml(config), inputs.classes, clip.name, clip.sha256, step
        )
        save_model_file(out / MODEL_NAME, file)

    return Trainer(
        method,
        optimizer,
        accelerator=accelerator,
        settings=settings,
        folder=out,
        config=to_yaml(config),
        hooks=Hooks(make_evaluate(config, inputs, method, progress), draw_step, save_model),
    )


def make_evaluate(
    config: Config, inputs: Inputs, method: WeClip, progress: Progress
) -> Evaluate | None:
    """Scores of the current model, at a single scale without flip and CRF, which is quick."""
    if not inputs.masked:
        return None

    def evaluate() -> dict[str, float]:
        predictor = Predictor(
            method,
            long_side=config.eval.long_side,
            scales=(1.0,),
            flip=False,
            device=method.mean.device,
        )
        task = progress.add_task("evaluation", total=len(inputs.masked), status="")
        classes = inputs.classes.num_classes
        result = evaluate_segmentation(
            predictor,
            full_images(inputs.masked, num_classes=classes, workers=config.data.workers),
            num_classes=classes,
            on_image=lambda name: progress.advance(task),
        )
        progress.remove_task(task)
        scores = result.scores
        return {
            "miou": scores.miou,
            "pixel_accuracy": scores.pixel_accuracy,
            "mean_class_accuracy": scores.mean_class_accuracy,
        }

    return evaluate
