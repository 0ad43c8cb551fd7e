"""Scores of the model while it is trained."""

from collections.abc import Callable
from itertools import takewhile

from rich.progress import Progress

from weclip.build.predictor import eval_precision
from weclip.config import Config
from weclip.data.images.full_images import full_images
from weclip.inference.predictor import Predictor
from weclip.inference.scores.evaluate import Tally, of_items
from weclip.inference.stream.predicted import predict_stream
from weclip.methods.method import Method
from weclip.system.distributed import own_part
from weclip.tasks.regions.of_model import by_name
from weclip.tasks.train.inputs import Inputs, regions_to_predict
from weclip.training.plan import Evaluate


def make_evaluate(
    config: Config, inputs: Inputs, method: Method, progress: Progress
) -> Evaluate | None:
    """Scores of the current model, at a single scale without flip and CRF, which is quick."""
    if not inputs.masked:
        return None

    def evaluate(stopped: Callable[[], bool]) -> dict[str, float] | None:
        predictor = quick_predictor(config, method)
        classes = inputs.classes.num_classes
        tally = Tally(classes)
        own = own_part(inputs.masked)
        items = full_images(
            own,
            num_classes=classes,
            workers=config.data.workers,
            reading=config.data.reading,
        )
        images = ((item, item.image) for item in takewhile(lambda item: not stopped(), items))
        task = progress.add_task("evaluation", total=len(own), status="")
        regions = of_items(by_name(regions_to_predict(config, inputs), own))
        for item, label_map in predict_stream(predictor, images, regions=regions):
            tally.add(item.name, label_map, item.mask)
            progress.advance(task)
        progress.remove_task(task)
        if tally.gather().count < len(inputs.masked):
            return None
        scores = tally.result().scores
        return {
            "miou": scores.miou,
            "pixel_accuracy": scores.pixel_accuracy,
            "mean_class_accuracy": scores.mean_class_accuracy,
        }

    return evaluate


def quick_predictor(config: Config, method: Method) -> Predictor:
    """The test protocol of `config.eval` at a single scale, without flip and CRF."""
    return Predictor(
        method,
        long_side=config.eval.side,
        scales=(1.0,),
        flip=False,
        device=method.device,
        tiling=config.eval.tiling,
        precision=eval_precision(config, method.device),
    )
