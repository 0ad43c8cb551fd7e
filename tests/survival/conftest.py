from tests.end_to_end.conftest import clip_file, dino_file, run_folder, voc_world

__all__ = ["clip_file", "dino_file", "run_folder", "voc_world"]
