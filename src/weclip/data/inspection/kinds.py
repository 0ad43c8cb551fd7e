"""Every kind of finding: how serious it is, and what it says and advises, in a line.

Stage 1, for `weclip check`. An error is what training or evaluation would end at.
"""

from typing import Literal

from weclip.data.inspection.names import NAME_KINDS

Severity = Literal["error", "warning", "information"]

KINDS: dict[str, tuple[Severity, str]] = {
    "unreadable_images": (
        "error",
        "images that cannot be read; training skips a few and ends at more: replace or remove them",
    ),
    "unreadable_masks": (
        "error",
        "masks that cannot be read; save PNGs of class ids (palette, 8-bit greyscale) or colours",
    ),
    "unknown_mask_ids": (
        "error",
        "masks with ids or colours that the class list does not have; use its own, or map them",
    ),
    "wrong_mask_sizes": ("error", "masks of another size than their image; make them equal"),
    "no_class_drawn": (
        "error",
        "masks of the evaluation split in which no class is drawn at all; scores would mean "
        "nothing: save class ids, or say in mask_labels what their ids stand for",
    ),
    "no_scores": (
        "warning",
        "evaluation split that cannot be used; training would go on without scores",
    ),
    "leaked_images": (
        "warning",
        "evaluation images that are also trained on, byte for byte; they flatter the scores",
    ),
    "duplicate_images": (
        "warning",
        "images that repeat another one of their split, byte for byte; keep one of each",
    ),
    "binary_masks": (
        "warning",
        "masks of 0 and 255 only, where 255 is ignored and no class is drawn; save class ids, or "
        "say in mask_labels which class 255 is",
    ),
    "void_masks": (
        "warning",
        "masks that are 255 all over: nothing in them counts; draw them, or remove them",
    ),
    "undrawn_classes": (
        "warning",
        "classes that images are tagged with, but that none of their masks holds; do ids or "
        "colours stand for other classes?",
    ),
    "untagged_classes": (
        "warning",
        "classes that masks hold, but no image of the split is tagged with; do ids or colours "
        "stand for other classes, or are tags missing?",
    ),
    "orphan_masks": (
        "warning",
        "files in the mask folder that are the mask of no image; a mask is a PNG under its image's "
        "name: 1.png for 1.jpg",
    ),
    "untrained_classes": (
        "warning",
        "classes without a training image; they cannot be learnt: tag some, or drop the class",
    ),
    "one_sided_classes": ("warning", "classes that only one of the two splits has"),
    "unlisted_images": (
        "warning",
        "images that neither a tags file nor the folder of a class tags; they are not used: add or "
        "move them",
    ),
    "deeper_folders": (
        "warning",
        "classes whose images all lie in several folders below theirs; if those are the classes, "
        "list the classes in classes.yaml, whose names are then sought at any depth",
    ),
    "unread_annotations": (
        "warning",
        "files that look like annotations, but that nothing reads; name the tags file in "
        "dataset.yaml under 'tags', or move them elsewhere",
    ),
    "unread_pictures": (
        "warning",
        "pictures in formats that are not read; they are not used",
    ),
    "other_pictures": (
        "warning",
        "pictures in folders of masks, labels or the like that nothing reads; name the mask folder "
        "in dataset.yaml under 'masks', or move them elsewhere",
    ),
    "unusable_names": (
        "warning",
        "names that are not UTF-8 or hold control characters; they are not used: rename them",
    ),
    "looping_links": (
        "warning",
        "links to a folder that they lie in themselves; they are not followed: remove them",
    ),
    **NAME_KINDS,
    "dark_images": (
        "warning",
        "16-bit images with all values under 256; only the upper 8 bits are read, so they are "
        "black: save them with 8 bits",
    ),
    "left_out_rows": (
        "information",
        "images or tasks that the tags file leaves out",
    ),
    "other_files": (
        "information",
        "files that nothing reads",
    ),
    "untagged_images": (
        "information",
        "images without tags; right if they show nothing of the class list",
    ),
    "turned_images": (
        "information",
        "images with an EXIF orientation; training and prediction turn them upright",
    ),
    "complaints": (
        "information",
        "images that Pillow warns about; they are read all the same",
    ),
}
"""Every finding: how serious it is, and what it says."""
