"""`weclip regions`: sources that lack something, and folders of something else."""

from tests.bad_inputs.case import Case

from weclip.cli import app as cli

REGIONS = "regions photos --out out"


def _cut() -> None:
    assert cli.run(REGIONS.split()) == 0


CASES = (
    Case(
        "regions-no-data",
        "`regions` without data",
        "regions --out out",
        "no data: give a folder of images or a dataset.yaml, or --config with a preset or a YAML file",
    ),
    Case(
        "regions-source-unknown",
        "A misspelt source",
        f"{REGIONS} regions.source=grap",
        "regions.source: there is no region source 'grap'; did you mean 'graph'? known: graph, merged, sam2, superpixels; one of your own needs --plugin FILE.py",
    ),
    Case(
        "regions-sam2-none",
        "SAM 2 without weights",
        f"{REGIONS} regions.source=sam2",
        "regions.source=sam2 needs regions.sam2.weights=FOLDER; give a folder of facebook/sam2.1-hiera-tiny, -small, -base-plus or -large, or take regions.source=merged, graph or superpixels, which need none",
    ),
    Case(
        "regions-sam2-no-folder",
        "SAM 2 in a folder that is not there",
        f"{REGIONS} regions.source=sam2 regions.sam2.weights=sam2",
        "regions.sam2.weights=sam2: no such folder; give a folder of facebook/sam2.1-hiera-tiny, -small, -base-plus or -large",
    ),
    Case(
        "regions-files",
        "Regions that are there, for the command that makes them",
        f"{REGIONS} regions.files=masks",
        "regions.files=masks: regions are made here, not read; leave it out",
    ),
    Case(
        "regions-shard",
        "A shard that is none",
        f"{REGIONS} --shard 3/2",
        "--shard 3/2: give i/n with i from 1 to n, such as 2/4",
    ),
    Case(
        "regions-resume-training",
        "--resume of a training",
        "regions photos --out run --resume",
        "--out run holds no regions of weclip regions to go on with; choose another folder",
    ),
    Case(
        "regions-again",
        "Regions are there",
        REGIONS,
        "--out out is not empty; choose another folder or add --overwrite",
        make=_cut,
    ),
    Case(
        "regions-resume-other",
        "--resume with other settings",
        f"{REGIONS} --resume regions.superpixels.count=9",
        "--out out holds regions that were made otherwise (regions.superpixels.count was 200, now 9); give the same, or choose another --out",
        make=_cut,
    ),
)
