"""Configuration files: no YAML, unknown keys, and what YAML allows but is not meant."""

from collections.abc import Iterator

from tests.bad_inputs.case import Case


def _files() -> Iterator[Case]:
    """YAML files."""
    for name, wrong, content, line in (
        (
            "yaml-broken",
            "YAML with an open brace",
            "data: {root: VOC2012\n",
            "bad.yaml: not valid YAML (line 2: ...",
        ),
        (
            "yaml-tab",
            "YAML indented by a tab",
            "data:\n\troot: VOC2012\n",
            "bad.yaml: not valid YAML (line 2: ...",
        ),
        (
            "yaml-list",
            "YAML with a list at the top",
            "- data\n- train\n",
            "bad.yaml: must hold sections with keys, as in 'data: {root: ...}'",
        ),
        (
            "yaml-section-without-keys",
            "A section with a number",
            "train: 5\n",
            "bad.yaml: train is a section; its keys are steps, epochs, batch_size, seed, precision, log_every, image_every, eval_every, save_every, keep_last, deterministic, cuda_graphs, best_metric, tracker",
        ),
        (
            "yaml-key-twice",
            "A key given twice",
            "train:\n  steps: 5\n  steps: 6\n",
            "bad.yaml: not valid YAML (line 3: the key 'steps' is there twice)",
        ),
        (
            "yaml-reference",
            "A reference",
            "clip: {weights: '${data.root}/x.pt'}\n",
            "bad.yaml: clip.weights: references such as ${...} are not supported",
        ),
        (
            "yaml-latin-1",
            "YAML in Latin-1",
            "data: {root: caf\xe9}\n".encode("latin-1"),
            "bad.yaml: configuration cannot be read; save it as UTF-8 text",
        ),
        (
            "yaml-object",
            "YAML that would make an object",
            "data: !!python/name:os.system\n",
            "bad.yaml: not valid YAML (line 1: could not determine a constructor for the tag 'tag:yaml.org,2002:python/name:os.system')",
        ),
    ):
        command = "train --config bad.yaml --out out"
        yield Case(name, wrong, command, line, files={"bad.yaml": content})


CASES = tuple(_files())
