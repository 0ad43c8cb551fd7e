"""`weclip label` over windows and without tags: keys that contradict each other."""

from tests.bad_inputs.case import Case

LABEL = "label --config voc.yaml --out out"
WINDOWS = f"{LABEL} label.windows=true cam.source=region_attention affinity.source=none"
FREE = f"{LABEL} label.any_class=true"

CASES = (
    Case(
        "windows-map-source",
        "Windows with maps that they do not make",
        f"{LABEL} label.windows=true",
        "label.windows=true is CorrCLIP as released, without cam.source=gradcam; add cam.source=region_attention",
    ),
    Case(
        "windows-par",
        "Windows with PAR",
        f"{WINDOWS} label.par=true",
        "label.windows=true is CorrCLIP as released, without label.par=True; add label.par=false",
    ),
    Case(
        "windows-gaps",
        "Windows that leave gaps",
        f"{WINDOWS} windows.stride=400",
        "windows.stride=400 leaves gaps between windows of windows.side=336; take a smaller stride",
    ),
    Case(
        "windows-guide",
        "A guide of windows that there is not",
        f"{WINDOWS} windows.guide=dino",
        "windows.guide=dino is not allowed; it must be window-query-key or whole",
    ),
    Case(
        "any-class-tags",
        "Tags by CLIP where no tags are read",
        f"{FREE} cam.source=text_probability data.tags_file=auto",
        "label.any_class=true: no tags are read, so data.tags_file=auto says nothing; leave one of them out",
    ),
    Case(
        "tags-memory-without-auto",
        "A memory of tags where CLIP makes none",
        f"{LABEL} tags.memory=bank.safetensors",
        "tags.memory=bank.safetensors: CLIP makes no tags here; add data.tags_file=auto, or leave it out",
    ),
    Case(
        "regions-files-unread",
        "Regions in files that nothing reads",
        f"{LABEL} regions.files=JPEGImages",
        "regions.files=JPEGImages: nothing here reads regions; add regions.vote=true or cam.source=region_attention, or leave it out",
    ),
    Case(
        "train-windows",
        "Windows in a training",
        "train --config voc.yaml --out out label.windows=true",
        "label.windows=true: weclip label reads it, trainings do not; leave it out (to train on masks of weclip label: weclip import-masks, then data.corrected)",
    ),
    Case(
        "train-vote",
        "A vote of regions in a training",
        "train --config voc.yaml --out out regions.vote=true",
        "regions.vote=true: weclip label reads it, trainings do not; leave it out (to train on masks of weclip label: weclip import-masks, then data.corrected)",
    ),
    Case(
        "any-class-gradcam",
        "Maps that need tags where no tags are read",
        FREE,
        "label.any_class=true: cam.source=gradcam shows where a tag is, not whether; add cam.source=text_probability or cam.source=region_attention",
    ),
)
