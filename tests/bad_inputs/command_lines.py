"""Command lines: options and arguments that are missing, unknown or contradict each other."""

from tests.bad_inputs.case import CHECK, PREDICT, TRAIN, Case

CASES = (
    Case(
        "no-config",
        "`train` without data",
        "train --out out",
        "no data: give a folder of images or a dataset.yaml, or --config with a preset or a YAML file",
    ),
    Case(
        "no-out",
        "`train` without --out",
        "train --config voc",
        "Missing option '--out'. (see weclip --help)",
    ),
    Case(
        "no-model",
        "`predict` without --model",
        "predict --out out VOC2012",
        "Missing option '--model'. (see weclip --help)",
    ),
    Case(
        "unknown-command",
        "A command that does not exist",
        "fit",
        "No such command 'fit'. (see weclip --help)",
    ),
    Case(
        "misspelt-option",
        "A misspelt option",
        f"{TRAIN} --overwite",
        "No such option: --overwite (Possible options: --overwrite) (see weclip --help)",
    ),
    Case(
        "out-without-value",
        "--out at the end, without a folder",
        "train --config voc --out",
        "Option '--out' requires an argument. (see weclip --help)",
    ),
    Case(
        "seed-negative",
        "--seed below 0",
        "demo --out out --seed -1",
        "Invalid value for '--seed': Input should be greater than or equal to 0 (see weclip --help)",
    ),
    Case(
        "seed-huge",
        "--seed beyond 32 bits",
        "demo --out out --seed 4294967296",
        "train.seed=4294967296 is not allowed; it must be under 2**32",
    ),
    Case(
        "resume-and-overwrite",
        "--resume with --overwrite",
        f"{TRAIN} --resume --overwrite",
        "--resume and --overwrite contradict each other; give one of them",
    ),
    Case(
        "no-equals-sign",
        "A change without `=`",
        f"{TRAIN} train.steps",
        "'train.steps' is not of the form section.key=value",
    ),
    Case(
        "spaces-round-equals",
        "Blanks round the `=`",
        f"{TRAIN} train.steps = 5",
        "'train.steps' is not of the form section.key=value",
    ),
    Case(
        "dashes-before-key",
        "A change written like an option",
        f"{TRAIN} --train.steps=5",
        "No such option: --train.steps (see weclip --help)",
    ),
    Case(
        "change-for-predict",
        "A change of `predict` without `=`",
        f"{PREDICT} VOC2012 eval.crf",
        "eval.crf does not exist: give an image file, a folder or a pattern",
    ),
    Case(
        "fast-and-flip",
        "`--fast`, and what it decides",
        f"{PREDICT} VOC2012 --fast eval.flip=true",
        "--fast and eval.flip=true contradict each other; give one of them",
    ),
    Case(
        "option-that-is-gone",
        "An option of earlier versions",
        "train --data photos --tags auto --out out",
        "--data photos: data need no option now; write: weclip train photos data.tags_file=auto --out out",
    ),
    Case(
        "device-unknown",
        "`--device` of another name",
        f"{PREDICT} VOC2012 --device gpu",
        "--device gpu: there is none of this name; give cpu, cuda, cuda:1 or mps",
    ),
    Case(
        "demo-data",
        "Data for the demo",
        "demo data.root=photos --out out",
        "'data.root=photos': the demo draws its own data, decided by --seed",
    ),
    Case(
        "json-is-input",
        "--json that would replace tags",
        f"{CHECK} --json photos/tags.jsonl",
        "--json photos/tags.jsonl exists and is no record of weclip check; choose another",
    ),
    Case(
        "json-is-folder",
        "--json that is a folder",
        f"{CHECK} --json photos",
        "--json photos: cannot be written; give the path of a file",
    ),
)
