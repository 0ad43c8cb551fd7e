"""Images that no tags file names: their folders tell class and split, or nothing does.

Stage 1, for the format `folder`. In a path such as `images/train/dog/cam1/1.jpg` the folders' names
say what they are (`folder_names.py`); the first that is no split and no role is the class, or with
a class list the one that is in it, at any depth. Folders of masks, labels and the like are not
entered.
"""

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from posixpath import splitext

from weclip.data.batch import TaggedImage
from weclip.data.classes import ClassList
from weclip.data.images.file_names import nfc
from weclip.data.images.tree import Tree, leads_to, walk
from weclip.data.layouts.dataset_yaml import FILE_NAME, Description
from weclip.data.layouts.folder_names import part_of
from weclip.data.layouts.pool import ONLY_SPLIT, Placed, Pool, no_tags
from weclip.data.layouts.split_names import same_split
from weclip.data.summary import BY_CLIP, first
from weclip.system.errors import InputError

BACKGROUND = "background"
NO_CLASS = "images in no folder of a class"
NO_SPLIT = "images in no folder of a split"
NO_CLASS_NAME = "images in folders that the class list does not name"


@dataclass(frozen=True)
class Told:
    """What the folders of one image tell.

    Attributes:
        file: Relative path of the image.
        split: Name of the split, or None.
        classes: Names of classes, in NFC: none, or one; more where a list names several.
        stray: Names of folders that are nothing that is known.
        below: Names of folders below that of a class, where no list gives the classes.
    """

    file: str
    split: str | None
    classes: tuple[str, ...]
    stray: tuple[str, ...]
    below: tuple[str, ...] = ()


def image_tree(place: Description, names: frozenset[str] = frozenset()) -> Tree:
    """The files below the images' folder, without masks, labels and the like.

    Args:
        place: The data set.
        names: Classes in NFC, whose folders are entered whatever else their names say.
    """

    def skip(folder: str) -> bool:
        part = part_of(name := folder.rpartition("/")[2])
        known = part is not None and part.role == "other" and nfc(name) not in names
        return known or is_reserved(folder)

    def is_reserved(folder: str) -> bool:
        path = place.images / folder
        return folder == place.reserved or (path.is_symlink() and leads_to(path, place.masks))

    tree = walk(place.images, skip)
    tree.skipped = [folder for folder in tree.skipped if not is_reserved(folder)]
    return tree


def class_folders(place: Description) -> list[str]:
    """Find the names of the folders that tell the tag, where there is no class list.

    Returns:
        Sorted names of class folders, each once, without `background`.

    Raises:
        InputError: There is none, this is a VOC or COCO data set, or a name may be a class or a
            split.
    """
    if (place.images / "JPEGImages").is_dir():
        xml = place.images / "Annotations"
        hint = f"; weclip convert {xml} tags.csv makes one of VOC's XML" if xml.is_dir() else ""
        raise InputError(
            f"{place.origin}: looks like a VOC or COCO data set; use data.format=voc or "
            f"data.format=coco, or give a tags file{hint}"
        )
    tree = image_tree(place)
    told = [_tell(file, frozenset()) for file in tree.images()]
    _refuse_doubtful(place, told)
    names = {name for each in told for name in each.classes} - {BACKGROUND}
    if not names:
        raise no_tags(place, tree)
    _refuse_other_case(place, names)
    inner = _folders_below(told)
    if len(names) == 1 and inner:
        ((name, below),) = inner.items()
        raise InputError(
            f"{place.origin}: the only folder of a class is '{name}', and in it lie the folders "
            f"{first(sorted(below))}; if these are the classes, give {place.images / name} as data "
            "root, otherwise list the classes in classes.yaml"
        )
    return sorted(names)


def _refuse_other_case(place: Description, names: set[str]) -> None:
    seen: dict[str, str] = {}
    for name in sorted(names):
        if (other := seen.setdefault(name.casefold(), name)) != name:
            raise InputError(
                f"{place.origin}: the class folders '{other}' and '{name}' differ only in upper "
                "and lower case; give one name to both, or a class list with both"
            )


def deeper_folders(place: Description) -> list[str]:
    """Classes, where no list gives them, whose images all lie in several folders below."""
    inner = _folders_below([_tell(file, frozenset()) for file in image_tree(place).images()])
    return [f"{name}: {first(sorted(below))}" for name, below in sorted(inner.items())]


def _folders_below(told: list[Told]) -> dict[str, set[str]]:
    """Class -> names of the folders next below it, where all its images lie in several such."""
    found: dict[str, set[str]] = {}
    for each in told:
        if each.classes and each.classes[0] != BACKGROUND:
            found.setdefault(each.classes[0], set()).update(each.below[:1] or ("",))
    return {name: below for name, below in found.items() if "" not in below and len(below) > 1}


def pool_of_class_folders(place: Description, classes: ClassList) -> Pool:
    """All images whose folder is their only tag.

    Raises:
        InputError: There is none, a path names two classes, or a name may be a class or a split.
    """
    index = {nfc(name): position for position, name in enumerate(classes.names)}
    known = _class_names(place, frozenset(index) | {BACKGROUND})
    tree = image_tree(place, known)
    told = [_tell(file, known) for file in tree.images()]
    _refuse_two_classes(place, told)
    left_out = left_out_of(tree)
    tagged = []
    for each in told:
        if each.classes:
            tagged.append(each)
        else:
            left_out.setdefault(NO_CLASS_NAME if each.stray else NO_CLASS, []).append(each.file)
    tagged = _of_splits(tagged, left_out)
    if not any(each.classes[0] != BACKGROUND for each in tagged):
        raise no_tags(place, tree, sorted({name for each in told for name in each.stray}))
    tagged.sort(key=lambda each: (index.get(each.classes[0], len(index)), each.file))
    _refuse_same_names(place, tagged)
    images = [_place(place, each, index) for each in tagged]
    unused = sorted({*tree.images()} - {each.file for each in tagged})
    folders = "the folders" if any(each.split for each in tagged) else ""
    return Pool(
        images, f"the folders in {place.images}", folders, str(place.origin), left_out, unused
    )


def pool_of_all(place: Description) -> Pool:
    """All images without a tag, for CLIP to tag; folders tell splits only."""
    tree = image_tree(place)
    told = sorted((_tell(file, frozenset()) for file in tree.images()), key=lambda t: t.file)
    left_out = left_out_of(tree)
    told = _of_splits(told, left_out)
    if not told:
        raise InputError(f"{place.images}: no image in it; add some, or see {FILE_NAME}")
    _refuse_same_names(place, told)
    if all(same_split(ONLY_SPLIT, t.split or ONLY_SPLIT) for t in told):
        told = [replace(each, split=None) for each in told]
    images = [_place(place, replace(each, classes=()), {}) for each in told]
    unused = sorted({*tree.images()} - {each.file for each in told})
    folders = "the folders" if any(each.split for each in told) else ""
    return Pool(images, BY_CLIP, folders, str(place.origin), left_out, unused)


def _class_names(place: Description, names: frozenset[str]) -> frozenset[str]:
    """The names of classes, without those of a list that are folders of splits here.

    VOC has a class `train`: a folder of that name is that of a split if folders of classes lie in
    it, that of a class if they lie beside it, and cannot be understood beside another split.
    """
    doubtful = {name for name in names if (part := part_of(name)) is not None and part.split}
    if not doubtful:
        return names
    told = [_tell(file, frozenset()) for file in image_tree(place).images()]
    by_split: dict[str, list[Told]] = {}
    for each in told:
        by_split.setdefault(each.split or "", []).append(each)
    beside = {inner for each in by_split.get("", ()) for inner in each.classes} & names
    for name in doubtful & by_split.keys():
        if names & {inner for each in by_split[name] for inner in each.classes}:
            names -= {name}
        elif not beside or by_split.keys() - {name, ""}:
            raise InputError(
                f"{place.origin}: the folder '{name}' may be a split or the class of that name; "
                "write a table of tags, or sort the images into folders of classes"
            )
    return names


def _tell(file: str, names: frozenset[str]) -> Told:
    """Read an image's folders; with `names`, only these are classes."""
    split: str | None = None
    classes: list[str] = []
    stray: list[str] = []
    below: list[str] = []
    for folder in file.split("/")[:-1]:
        name = nfc(folder)
        if name.casefold() == BACKGROUND and name not in names:
            name = BACKGROUND
        if name in names:
            classes.append(name)
        elif (part := part_of(name)) is not None:
            split = split or part.split
        elif names:
            stray.append(folder)
        elif not classes:
            classes.append(name)
        else:
            below.append(folder)
    return Told(file, split, tuple(dict.fromkeys(classes)), tuple(stray), tuple(below))


def left_out_of(tree: Tree) -> dict[str, list[str]]:
    """What the listing of a folder left out: why, and which; the mask folder is none of it."""
    found = {
        "folders of masks, labels or the like": tree.skipped,
        "outputs of weclip": tree.outputs,
        "names that are not UTF-8 or hold control characters": tree.unusable,
        "links to a folder that they lie in": tree.loops,
    }
    return {reason: list(names) for reason, names in found.items() if names}


def _of_splits(told: list[Told], left_out: dict[str, list[str]]) -> list[Told]:
    """Without images in no split's folder, where there is one for training."""
    if not any(each.split is not None and same_split(ONLY_SPLIT, each.split) for each in told):
        return told
    loose = [each.file for each in told if each.split is None]
    if loose:
        left_out[NO_SPLIT] = loose
    return [each for each in told if each.split is not None]


def _place(place: Description, told: Told, index: dict[str, int]) -> Placed:
    tags = tuple(index[name] for name in told.classes if name in index)
    name = splitext(told.file)[0]
    return Placed(TaggedImage(name, place.images / told.file, tags), told.split, told.file)


def _refuse_two_classes(place: Description, told: list[Told]) -> None:
    for each in told:
        if len(each.classes) > 1:
            first, second = each.classes[:2]
            raise InputError(
                f"{place.images / each.file}: its folders name two classes, '{first}' and "
                f"'{second}'; leave one, or write a table of tags"
            )


def _refuse_doubtful(place: Description, told: list[Told]) -> None:
    """A split's folder that holds images, beside folders of classes, may be a class itself."""
    loose = next((each for each in told if each.split is not None and not each.classes), None)
    classes = {name for each in told if each.split is None for name in each.classes}
    if loose is not None and classes and not any(t.split and t.classes for t in told):
        folder = loose.file.split("/")[0]
        raise InputError(
            f"{place.origin}: '{folder}' is the name of a split, but beside it lies the class "
            f"folder '{min(classes)}'; list the classes in classes.yaml if it is one of them, or "
            "rename it"
        )


def _refuse_same_names(place: Description, told: list[Told]) -> None:
    seen: dict[str, str] = {}
    for each in told:
        other = seen.setdefault(nfc(splitext(each.file)[0]), each.file)
        if other != each.file:
            folder = (place.images / each.file).parent
            first, second = (PurePosixPath(file).name for file in sorted((other, each.file)))
            raise InputError(
                f"{folder}: '{first}' and '{second}' have the same name; keep one of them"
            )
