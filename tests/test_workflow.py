"""Files for the host of the repository: they parse, and name what is there. None was run."""

import re
from pathlib import Path

import pytest
from tests.test_layout import ROOT

from weclip.system.untrusted.documents import parse_yaml

FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
FIELDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def read(path: Path) -> dict:
    content = parse_yaml(path.read_text(encoding="utf-8"), path.name)
    assert isinstance(content, dict)
    return content


WORKFLOW = read(ROOT / ".github" / "workflows" / "ci.yml")
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]


def test_jobs_have_machines_limits_and_steps():
    assert {"check", "test", "lowest", "wheel"} <= set(WORKFLOW["jobs"])
    for job in WORKFLOW["jobs"].values():
        assert job["runs-on"]
        assert 0 < job["timeout-minutes"] <= 60
        assert job["steps"]
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert set(WORKFLOW[True]) == {"push", "pull_request"}  # YAML 1.1 reads `on` as true


def test_every_step_runs_or_uses_and_actions_have_a_major_version():
    used = [step["uses"] for step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", name) for name in used)
    assert all(("uses" in step) != ("run" in step) for step in STEPS)


def test_systems_and_pythons():
    matrix = WORKFLOW["jobs"]["test"]["strategy"]["matrix"]
    assert {name.split("-")[0] for name in matrix["system"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    assert all(isinstance(python, str) for python in matrix["python"])


def test_targets_of_make_exist():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", text, flags=re.MULTILINE))
    named = {t for s in STEPS for t in re.findall(r"^make ([a-z-]+)", s.get("run", ""), re.M)}
    assert {"check", "test", "docs"} <= named <= targets


def test_expressions_are_closed_and_known():
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    found = re.findall(r"\$\{\{ ([\w.]+) \}\}", text)
    assert text.count("${{") == len(found)
    assert {name.split(".")[0] for name in found} <= {"matrix", "github", "runner"}
    keys = {name.split(".")[1] for name in found if name.startswith("matrix.")}
    matrices = [job.get("strategy", {}).get("matrix", {}) for job in WORKFLOW["jobs"].values()]
    assert keys <= {key for matrix in matrices for key in matrix}


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_forms_of_issues(path: Path):
    form = read(path)
    if path.stem == "config":
        assert form == {"blank_issues_enabled": False}
        return
    assert form["name"]
    assert form["description"]
    ids = [each["id"] for each in form["body"] if each["type"] != "markdown"]
    assert len(ids) == len(set(ids)) > 0
    for each in form["body"]:
        assert each["type"] in FIELDS
        assert each["attributes"].get("label") or each["attributes"].get("value")


def test_the_image_has_a_user_without_rights_and_copies_what_is_there():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert text.startswith("# Not run")
    assert re.search(r"^USER (?!root|0\b)\w+$", text, flags=re.MULTILINE)
    copied = [n for line in re.findall(r"^COPY (.+) \S+$", text, re.M) for n in line.split()]
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied
    assert all((ROOT / name).exists() and f"!{name}" in kept for name in copied)
    assert not re.search(r"https?://", text)
