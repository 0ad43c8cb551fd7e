"""Configurations: files that are no YAML, unknown keys, values of a wrong type or range."""

from tests.bad_inputs.case import CHECK, TRAIN, Case

CHANGES = (
    (
        "key-misspelt",
        "A misspelt key",
        "train.stepz=3",
        "'train.stepz=3': unknown key train.stepz; did you mean 'steps'? known under train: steps, epochs, batch_size, seed, precision, log_every, image_every, eval_every, save_every, keep_last, deterministic, cuda_graphs, best_metric, tracker",
    ),
    (
        "section-as-value",
        "A value for a section",
        "train=3",
        "'train=3': train is a section; its keys are steps, epochs, batch_size, seed, precision, log_every, image_every, eval_every, save_every, keep_last, deterministic, cuda_graphs, best_metric, tracker",
    ),
    (
        "word-for-number",
        "A word for a number",
        "train.steps=many",
        "'train.steps=many': train.steps must be a whole number or auto, not 'many'",
    ),
    (
        "fraction-for-whole",
        "A fraction for a whole number",
        "train.steps=1.5",
        "'train.steps=1.5': train.steps must be a whole number or auto, not 1.5",
    ),
    (
        "comma-for-point",
        "A decimal comma",
        "optim.learning_rate=0,002",
        "'optim.learning_rate=0,002': optim.learning_rate must be a number, not '0,002'",
    ),
    (
        "list-for-text",
        "A list for a text, which is a path like any other",
        "data.root=[a,b]",
        "[a,b]: data root not found; it must be an existing folder",
    ),
    (
        "one-number-for-two",
        "One number where there are two",
        "data.scale_range=[1]",
        "'data.scale_range=[1]': data.scale_range must be a list of two numbers, not [1]",
    ),
    (
        "open-bracket",
        "A list without its end",
        "eval.scales=[1.0",
        "'eval.scales=[1.0': not a valid value (...)",
    ),
    (
        "batch-of-none",
        "A batch of 0 images",
        "train.batch_size=0",
        "train.batch_size=0 is not allowed; it must be more than 0",
    ),
    (
        "rate-nan",
        "A learning rate that is not a number",
        "optim.learning_rate=nan",
        "optim.learning_rate=nan is not allowed; it must be finite",
    ),
    (
        "rate-infinite",
        "An infinite learning rate",
        "optim.learning_rate=inf",
        "optim.learning_rate=inf is not allowed; it must be finite",
    ),
    (
        "scale-infinite",
        "An infinite scale",
        "data.scale_range=[0.5,.inf]",
        "data.scale_range=(0.5, inf) is not allowed; it must be finite",
    ),
    (
        "scales-falling",
        "Scales the wrong way round",
        "data.scale_range=[2.0,0.5]",
        "data.scale_range=(2.0, 0.5) is not allowed; it must be two rising numbers over 0, up to 16",
    ),
    (
        "dilations-none",
        "No dilations",
        "par.dilations=[]",
        "par.dilations=() is not allowed; it must be up to 32 numbers of pixels from 1 to 256",
    ),
    (
        "template-without-braces",
        "A prompt without {}",
        "clip.prompt_template=photo",
        "clip.prompt_template=photo is not allowed; it must be a text with one {}, where the class goes, or imagenet",
    ),
    (
        "width-of-heads",
        "A width that heads do not divide",
        "method.weclip.width=17",
        "method.weclip.width=17 must be a multiple of method.weclip.heads=2",
    ),
    (
        "crop-of-no-patches",
        "A crop of no whole patches",
        "data.crop_size=50",
        "data.crop_size=50 is not a multiple of 8, as whole patches are; use 48 or 56",
    ),
    (
        "precision-unknown",
        "An unknown precision",
        "train.precision=fp32",
        "train.precision=fp32 is not allowed; it must be auto or float32 or bf16 or fp16",
    ),
    (
        "precision-of-gpus",
        "fp16 on a CPU",
        "train.precision=fp16",
        "train.precision=fp16 needs a CUDA GPU; use auto, float32 or bf16",
    ),
    (
        "graphs-of-gpus",
        "CUDA graphs on a CPU",
        "train.cuda_graphs=true",
        "train.cuda_graphs=true needs a CUDA GPU, and this runs on cpu; leave it out",
    ),
    (
        "format-in-capitals",
        "A format in capitals",
        "data.format=VOC",
        "data.format=VOC is not allowed; it must be voc or coco or folder",
    ),
    (
        "root-empty",
        "An empty variable of the shell",
        "data.root=",
        "'data.root=': data.root must be a text, not null",
    ),
)
"""Name, what is wrong, `section.key=value`, and the line."""

CASES = (
    Case(
        "preset-unknown",
        "A misspelt preset",
        "train --config vox --out out",
        "--config vox: neither a file nor a preset (coco, coco-afa, coco-plus, demo, demo-afa, demo-plus, demo-retrieval, folder, folder-plus, folder-retrieval, voc, voc-afa, voc-plus); did you mean 'voc'?",
    ),
    Case(
        "config-not-found",
        "A YAML file that is not there",
        "train --config my.yaml --out out",
        "--config my.yaml: neither a file nor a preset (coco, coco-afa, coco-plus, demo, demo-afa, demo-plus, demo-retrieval, folder, folder-plus, folder-retrieval, voc, voc-afa, voc-plus); give the path of a YAML file",
    ),
    Case(
        "config-is-folder",
        "A folder as --config",
        "train --config photos --out out",
        "--config photos: neither a file nor a preset (coco, coco-afa, coco-plus, demo, demo-afa, demo-plus, demo-retrieval, folder, folder-plus, folder-retrieval, voc, voc-afa, voc-plus); give the path of a YAML file",
    ),
    Case(
        "config-is-model",
        "A model as --config",
        "train --config clip.safetensors --out out",
        "clip.safetensors: configuration cannot be read; save it as UTF-8 text",
    ),
    Case(
        "nothing-given",
        "A preset without data and weights",
        "train --config voc --out out",
        "preset voc: no value for clip.weights, data.root; add clip.weights=... to the command",
    ),
    Case(
        "check-wrong-key",
        "`check` with a misspelt key",
        f"{CHECK} data.class=voc",
        "'data.class=voc': unknown key data.class; did you mean 'classes'? known under data: format, root, classes, tags_file, tags_control, untagged, corrected, train_split, eval_split, max_side, crop_size, scale_range, flip_probability, workers, max_unreadable, max_pixels, bands, range, decoded_cache",
    ),
    *(Case(name, wrong, f"{TRAIN} '{change}'", line) for name, wrong, change, line in CHANGES),
)
