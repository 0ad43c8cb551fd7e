"""`weclip tag` and `data.tags_file=auto`: options, outputs that are there, data without names."""

from pathlib import Path

from tests.bad_inputs.case import Case

from weclip.cli import app as cli

TAG = "tag --config voc.yaml --out tags.csv"
AUTO = "data.tags_file=auto"
LABEL = f"label --config folder.yaml {AUTO} --out out"
NAMELESS = "album: no class list, and tags by CLIP (auto), or labels without tags, need the names; give data.classes=FILE, or list them under 'classes' in classes.yaml"


def _tagged() -> None:
    assert cli.run(TAG.split()) == 0


def _labelled() -> None:
    assert cli.run(LABEL.split()) == 0


def _new_image() -> None:
    _labelled()
    tags = Path("photos/tags.jsonl")
    rows = tags.read_text().replace("train/train_7.jpg", "train/new.jpg")
    Path("photos/train/train_7.jpg").rename("photos/train/new.jpg")
    tags.write_text(rows)


def _one_fewer() -> None:
    _labelled()
    tags = Path("photos/tags.jsonl")
    tags.write_text("\n".join(tags.read_text().splitlines()[1:]))


def _album() -> None:
    Path("album").mkdir()
    Path("photos/train/train_0.jpg").rename("album/1.jpg")


def _twins() -> None:
    _album()
    Path("photos/train/train_1.jpg").rename("album/1.jpeg")


CASES = (
    Case(
        "tag-no-data",
        "`tag` without data",
        "tag --out tags.csv",
        "no data: give a folder of images or a dataset.yaml, or --config with a preset or a YAML file",
    ),
    Case(
        "tag-no-out",
        "`tag` without --out",
        "tag photos",
        "Missing option '--out'. (see weclip --help)",
    ),
    Case(
        "tag-out-suffix",
        "A tags file of another format",
        "tag --config voc.yaml --out tags.txt",
        "--out tags.txt: the tags file to write must end in .csv",
    ),
    Case(
        "tag-out-folder",
        "A folder as the tags file",
        "tag --config voc.yaml --out folder.csv",
        "--out folder.csv: cannot be written; give the path of a file",
        make=lambda: Path("folder.csv").mkdir(),
    ),
    Case(
        "tag-again",
        "Tags by CLIP are there",
        TAG,
        "--out: tags.csv exists; choose another name or add --overwrite",
        make=_tagged,
    ),
    Case(
        "tag-over-own-tags",
        "--overwrite of tags that a person wrote",
        "tag --config voc.yaml --out VOC2012/tags.csv --overwrite",
        "--out: VOC2012/tags.csv was not made by weclip tag, so --overwrite does not replace it; choose another name",
    ),
    Case(
        "tag-over-own-json",
        "A file of another kind under the record's name",
        f"{TAG} --overwrite",
        "--out: tags.csv.json was not made by weclip tag, so --overwrite does not replace it; choose another name",
        files={"tags.csv.json": "{}"},
    ),
    Case(
        "tag-no-names",
        "Images without class names",
        "tag album clip.weights=clip.safetensors --out tags.csv",
        NAMELESS,
        make=_album,
    ),
    Case(
        "tag-true-tags-gone",
        "A file of true tags that is not there",
        f"{TAG} data.tags_file=true.csv",
        "tags file 'true.csv' not found, neither as given nor in the data root VOC2012",
    ),
    Case(
        "tag-classes-unknown",
        "A misspelt class list",
        f"{TAG} data.classes=vco",
        "class list 'vco' is neither a file nor one of voc, voc-corrclip, coco, demo; did you mean 'voc'?",
    ),
    Case(
        "tag-twins",
        "Two images whose names differ in their suffix only",
        "tag album data.classes=voc clip.weights=clip.safetensors --out tags.csv",
        "album: '1.jpeg' and '1.jpg' have the same name; keep one of them",
        make=_twins,
    ),
    Case(
        "tag-empty-folder",
        "No image at all",
        "tag album data.classes=voc clip.weights=clip.safetensors --out tags.csv",
        "album: no image in it; add some, or see dataset.yaml",
        make=lambda: Path("album").mkdir(),
    ),
    Case(
        "tag-split-unknown",
        "A split of images without a table",
        "tag album data.classes=voc data.train_split=test clip.weights=clip.safetensors --out tags.csv",
        "album: no split 'test'; available: train",
        make=_album,
    ),
    Case(
        "tag-image-broken",
        "An image that cannot be read",
        "tag --config folder.yaml --out tags.csv",
        "photos/train/train_1.jpg: image cannot be read (no known image format)",
        files={"photos/train/train_1.jpg": "no image"},
    ),
    Case(
        "tag-threshold",
        "A threshold that there is not",
        f"{TAG} tags.threshold=0.5",
        "tags.threshold=0.5 is not allowed; it must be null or split or relative",
    ),
    Case(
        "tag-blocks",
        "Fewer blocks than none",
        f"{TAG} tags.self_attention_blocks=-1",
        "tags.self_attention_blocks=-1 is not allowed; it must be from 0 to 1000, or null",
    ),
    Case(
        "tag-share",
        "A share in percent",
        f"{TAG} tags.relative_share=50",
        "tags.relative_share=50.0 is not allowed; it must be from 0 to 1",
    ),
    Case(
        "tag-memory-without-encoder",
        "A memory without the encoder of its keys",
        f"{TAG} tags.memory=bank.safetensors",
        "a second encoder is read here (by the method, map source, affinity, regions or a memory); add dino.weights=dinov2_vits14, or the path of DINOv2 weights",
    ),
    Case(
        "tag-memory-gone",
        "A memory that is not there",
        f"{TAG} tags.memory=bank.safetensors dino.weights=demo",
        "tags.memory=bank.safetensors: no such bank; give a file of weclip memory",
    ),
    Case(
        "tag-memory-released",
        "A memory for tags as released, which have another embedding",
        f"{TAG} tags.memory=bank.safetensors dino.weights=demo tags.released=true",
        "tags.memory=bank.safetensors: tags are made of the last block's values here (tags.released=true or tags.self_attention_blocks=0), which no memory keeps; add tags.self_attention_blocks=5, or leave the memory out",
    ),
    Case(
        "auto-no-names",
        "Training from images alone",
        f"train album {AUTO} clip.weights=clip.safetensors --out out",
        NAMELESS,
        make=_album,
    ),
    Case(
        "auto-out-not-empty",
        "Photos as --out, told before CLIP tags anything",
        f"train --config folder.yaml {AUTO} --out VOC2012",
        "--out VOC2012 is not empty; choose another folder or add --overwrite",
    ),
    Case(
        "auto-nothing-readable",
        "Not one image that can be read",
        f"train album data.classes=voc {AUTO} clip.weights=clip.safetensors --out out",
        "album: not one of 1 images can be read",
        files={"album/1.jpg": "no image"},
    ),
    Case(
        "auto-new-image",
        "--resume with an image that CLIP has not tagged",
        f"{LABEL} --resume",
        "out/auto_tags.csv: no tags of train/new.jpg; the data have changed since CLIP tagged them: start anew in another --out, or delete the file to make all tags again",
        make=_new_image,
    ),
    Case(
        "auto-one-fewer",
        "--resume with an image less",
        f"{LABEL} --resume",
        "out/auto_tags.csv: 8 images, now 7; the data have changed since CLIP tagged them: start anew in another --out, or delete the file to make all tags again",
        make=_one_fewer,
    ),
    Case(
        "auto-stored-broken",
        "A damaged auto_tags.csv",
        f"{LABEL} --resume",
        "out/auto_tags.csv, line 1: ...",
        make=lambda: (_labelled(), Path("out/auto_tags.csv").write_text("nonsense\n1\n")),
    ),
    Case(
        "auto-trained-otherwise",
        "--resume of a training with tags of its own, now by CLIP",
        f"train --config voc.yaml --out run --resume {AUTO}",
        "--resume run: not the same run as before step 4 (data.tags_file was tags.csv, now auto; ...; give the same, start anew in another --out, or add --accept-changes",
    ),
)
