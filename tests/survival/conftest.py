from tests.end_to_end.conftest import (
    afa_changes,
    clip_file,
    dino_file,
    mit_file,
    run_folder,
    voc_world,
)

__all__ = ["afa_changes", "clip_file", "dino_file", "mit_file", "run_folder", "voc_world"]
