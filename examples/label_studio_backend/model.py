"""A backend of Label Studio that fills new tasks with a model's masks; README.md says how to start.

`python model.py RUN` listens on 127.0.0.1, port 9090.
"""

import argparse
import logging
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

from conversion import Control, Folders, controls_of, results_of
from label_studio_ml.model import LabelStudioMLBase

import weclip

log = logging.getLogger(__name__)


class WeclipBackend(LabelStudioMLBase):
    """Predicts for Label Studio with the model that WECLIP_MODEL names."""

    def predict(
        self, tasks: list[dict[str, Any]], context: object = None, **kwargs: object
    ) -> list[dict[str, Any]]:
        """A prediction for each task; an empty one, and a line in the log, where that fails."""
        controls = controls_of(self.label_config or "<View/>")
        return [prediction_of(task, controls) for task in tasks]


def prediction_of(task: dict[str, Any], controls: list[Control]) -> dict[str, Any]:
    """What the model says of a task's image."""
    results = []
    try:
        for key in sorted({control.key for control in controls}):
            found = model().predict(folders().file_of(str(task["data"].get(key))))
            results += results_of(found, [each for each in controls if each.key == key])
    except weclip.InputError as error:
        log.warning("%s", error)
    scores = [each["score"] for each in results]
    score = sum(scores) / len(scores) if scores else 0.0
    return {"model_version": "weclip", "score": score, "result": results}


@cache
def model() -> weclip.SegmentationModel:
    """The model, loaded once."""
    return weclip.load(os.environ["WECLIP_MODEL"])


@cache
def folders() -> Folders:
    """Where Label Studio keeps its images, by its own environment variables."""
    files = os.environ.get("LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT")
    data = os.environ.get("LABEL_STUDIO_BASE_DATA_DIR")
    return Folders(
        Path(files) if files else None, Path(data) / "media" / "upload" if data else None
    )


def main() -> None:
    """Start the backend."""
    from label_studio_ml.api import init_app

    parser = argparse.ArgumentParser(description="A backend of Label Studio.")
    parser.add_argument("model", help="run folder, bundle or ONNX file")
    parser.add_argument("--port", type=int, default=9090)
    given = parser.parse_args()
    os.environ["WECLIP_MODEL"] = given.model
    try:
        model()
    except weclip.InputError as error:
        sys.exit(str(error))
    init_app(model_class=WeclipBackend).run(host="127.0.0.1", port=given.port)


if __name__ == "__main__":
    main()
