"""Manifests of bundles: any document is read or refused in one line; none names files elsewhere."""

import json

import pytest
from tests.exports.models.test_bundle import WHOLE
from tests.fuzz.budget import fuzz
from tests.fuzz.documents import changed

from weclip.exports.models.bundle import read_manifest, write_manifest


@pytest.mark.long
def test_any_manifest_is_read_or_refused(tmp_path):
    write_manifest(tmp_path, WHOLE)
    path = tmp_path / "run.json"
    document = json.loads(path.read_text())

    def read(content):
        path.write_text(json.dumps(content), errors="replace")
        found = read_manifest(path, "here")
        names = [*found.files, *(tower.file for tower in found.towers.values())]
        assert all((tmp_path / name).parent == tmp_path for name in names)
        assert all(tower.name.isprintable() for tower in found.towers.values())

    results = fuzz(lambda rng: changed(rng, document), read)
    assert results["read"] > 10
