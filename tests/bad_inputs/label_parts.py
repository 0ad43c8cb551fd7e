"""Parts of maps without training: names, descriptions, templates, trained models."""

from tests.bad_inputs.case import Case

LABEL = "label --config voc.yaml --out out"


def _case(
    name: str, wrong: str, change: str, line: str, files: dict[str, str] | None = None
) -> Case:
    return Case(name, wrong, f"{LABEL} {change}", line, files=files or {})


CASES = (
    _case(
        "map-source-unknown",
        "A map source that there is not",
        "cam.source=grad-cam",
        "cam.source: there is no map source 'grad-cam'; did you mean 'gradcam'? known: gradcam, patch_text, region_attention, text_probability; one of your own needs --plugin FILE.py",
    ),
    _case(
        "cam-embedding-unknown",
        "An embedding that there is not",
        "cam.source=patch_text cam.embedding=region_atention",
        "cam.embedding=region_atention: there is no map source with an embedding of that name; did you mean 'region_attention'? known: region_attention, text_probability, or null",
    ),
    _case(
        "cam-embedding-of-a-source-without",
        "An embedding of a map source that has none",
        "cam.source=patch_text cam.embedding=gradcam",
        "cam.embedding=gradcam: there is no map source with an embedding of that name; known: region_attention, text_probability, or null",
    ),
    _case(
        "cam-embedding-unread",
        "An embedding that no chosen part reads",
        "cam.embedding=region_attention",
        "cam.embedding=region_attention: neither cam.source=gradcam nor affinity.source=attention reads it; leave it out, or take cam.source=patch_text or affinity.source=class_distribution",
    ),
    _case(
        "affinity-source-unknown",
        "An affinity that there is not",
        "affinity.source=js",
        "affinity.source: there is no affinity 'js'; known: attention, class_distribution, guide, none; one of your own needs --plugin FILE.py",
    ),
    _case(
        "affinity-power-zero",
        "A map spread zero times",
        "affinity.attention.power=0",
        "affinity.attention.power=0 is not allowed; it must be more than 0 and up to 16",
    ),
    _case(
        "templates-without-braces",
        "A further template without {}",
        "'clip.more_templates=[a photo]'",
        "clip.more_templates=('a photo',) is not allowed; it must be up to 1000 texts with one {}, where the class goes",
    ),
    _case(
        "templates-no-list",
        "A further template that is no list",
        "'clip.more_templates=a photo of a {}.'",
        "'clip.more_templates=a photo of a {}.': clip.more_templates must be a list of texts, not 'a photo of a {}.'",
    ),
    _case(
        "descriptions-missing",
        "A file of descriptions that is not there",
        "clip.descriptions=none.txt",
        "none.txt: file of descriptions (clip.descriptions) not found",
    ),
    _case(
        "descriptions-unknown-class",
        "A description of a class that there is not",
        "clip.descriptions=d.txt",
        "d.txt, line 2: unknown class 'brid'; did you mean 'bird'?",
        {"d.txt": "bird: it has wings\nbrid: it flies\n"},
    ),
    _case(
        "descriptions-no-colon",
        "A line of descriptions without a class",
        "clip.descriptions=d.txt",
        "d.txt, line 1: 'it has wings' is not 'class: description'",
        {"d.txt": "it has wings\n"},
    ),
    _case(
        "refiner-missing",
        "A trained model that is not there",
        "label.model=nowhere",
        "nowhere: ...",
    ),
    Case(
        "refiner-other-classes",
        "A trained model of other classes",
        "label --config folder.yaml --out out label.model=run",
        "label.model=run: its classes (...) are not those of the data (...); train one for them, or leave it out",
    ),
    _case(
        "method-misspelt",
        "A misspelt method",
        "--method exel",
        "--method exel: there is none of this name; did you mean 'excel'?",
    ),
)
