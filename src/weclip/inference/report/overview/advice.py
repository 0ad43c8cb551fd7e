"""What to do next, from what was measured; each piece says the numbers it follows from.

Stage 6. Pure: the tasks add what only they know, such as commands.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

from weclip.inference.report.overview.classes import ClassRow, Matrix, confusions
from weclip.inference.report.overview.html import number_of
from weclip.inference.report.overview.scene import Scene

FEW_IMAGES = 10
"""A class with fewer training images is told."""

LOST = 0.05
"""From this share of the tags on, or three of them, tags that are nowhere are told."""

CONFUSED = 0.1
"""From this share of a class's pixels on, a confusion is told."""

FALLING = 0.05
"""A loss still falls if the last fifth of a run has this share less of it than the fifth before."""

RISING = 0.01
"""A last score that is above all earlier ones by this much still rises."""

LOW = 0.7
"""A mean confidence below it is told."""

NAMED = 4
"""Classes that are named in one piece of advice."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Advice:
    """One thing to do.

    Attributes:
        title: What, in some words.
        why: What was measured, and what helps.
        command: To be copied; empty where there is none.
    """

    title: str
    why: str
    command: str = ""


def few_images(rows: Sequence[ClassRow], names: Sequence[str]) -> list[Advice]:
    """Classes that hardly any training image has."""
    few = [row for row in rows if row.images is not None and row.images < FEW_IMAGES]
    if not few:
        return []
    told = _listed([f"{names[row.class_id]} ({row.images})" for row in few])
    return [
        Advice(
            "Add images of rare classes",
            f"Under {FEW_IMAGES} images have the tag {told}. Classes with few images are learnt "
            "worst; add some, or leave a class out that you do not need.",
        )
    ]


def lost_tags(scenes: Sequence[Scene], names: Sequence[str], command: str = "") -> list[Advice]:
    """Tags that are nowhere in the label maps."""
    lost = Counter(i for scene in scenes for i in scene.nowhere)
    tags = Counter(i for scene in scenes for i in scene.tag_ids)
    count, total = sum(lost.values()), sum(tags.values())
    if not total or (count < 3 and count < LOST * total):
        return []
    told = _listed([f"{names[i]} ({n} of {tags[i]})" for i, n in lost.most_common()])
    return [
        Advice(
            "Look at tags that are nowhere",
            f"{count} of {number_of(total, 'tag')} {_is(count)} nowhere in the masks: {told}. "
            "These scenes come first below. Either the tag is wrong, or the object is small, "
            "hidden or unlike the others. CLIP can list the tags it doubts; correct the wrong "
            "ones.",
            command,
        )
    ]


def untold_classes(scenes: Sequence[Scene], names: Sequence[str]) -> list[Advice]:
    """Classes that are found where no tag says them."""
    untold = Counter(i for scene in scenes for i in scene.untagged)
    count = sum(bool(scene.untagged) for scene in scenes)
    if count < 3 and count < LOST * len(scenes):
        return []
    if not count:
        return []
    told = _listed([f"{names[i]} (in {n})" for i, n in untold.most_common()])
    return [
        Advice(
            "Complete the tags, or look for what is mixed up",
            f"In {count} of {number_of(len(scenes), 'image')} something is found that no tag says: "
            f"{told}. If it is there, its tag is missing, and a missing tag teaches that it is "
            "background.",
        )
    ]


def mixed_up(matrix: Matrix | None, names: Sequence[str]) -> list[Advice]:
    """Classes that are taken for each other, or missed, by their masks."""
    if matrix is None:
        return []
    told = []
    missed = []
    for true, predicted, share in confusions(matrix):
        if share < CONFUSED or true == 0:
            continue
        if predicted == 0:
            missed.append(f"{names[true]} ({100 * share:.0f} %)")
        else:
            told.append(f"{names[true]} for {names[predicted]} ({100 * share:.0f} %)")
    found = []
    if told:
        found.append(
            Advice(
                "Part the classes that are mixed up",
                f"Of their pixels, these are taken for another class: {_listed(told)}. Prompts "
                "that say what differs help (prompts in classes.yaml), and so do images that show "
                "only one of the two.",
            )
        )
    if missed:
        found.append(
            Advice(
                "Find more of what is missed",
                f"Taken for background: {_listed(missed)} of their pixels. A lower "
                "loss.segmentation.background_weight makes masks larger; background_words that "
                "name what is beside the objects make them exact.",
            )
        )
    return found


def exchanged(scenes: Sequence[Scene], names: Sequence[str]) -> list[Advice]:
    """Without masks: what is found where a tag is nowhere."""
    pairs = Counter((i, j) for scene in scenes for i in scene.nowhere for j in scene.untagged)
    often = [f"{names[j]} for {names[i]} (in {n})" for (i, j), n in pairs.most_common() if n > 1]
    if not often:
        return []
    return [
        Advice(
            "See which classes are exchanged",
            f"Where a tag is nowhere, another class is found: {_listed(often)}. Prompts that say "
            "what differs help (prompts in classes.yaml).",
        )
    ]


def convergence(
    loss: Points, scores: Points, longer: Callable[[int], str] = lambda steps: ""
) -> list[Advice]:
    """Whether longer training would help, by the scores, or without them by the loss.

    Args:
        loss: Step and loss.
        scores: Step and score.
        longer: The command that trains so many steps.
    """
    if len(scores) > 1:
        best = max(scores, key=lambda point: point[1])
        last = scores[-1]
        before = max(score for _, score in scores[:-1])
        if last[1] >= before + RISING:
            return [
                _longer(
                    last[0],
                    f"The last mIoU, {_hundredths(last[1])}, is still the best "
                    f"(before: {_hundredths(before)}).",
                    longer,
                )
            ]
        if best[1] >= last[1] + RISING:
            return [
                Advice(
                    "Shorter would do",
                    f"mIoU was best after step {best[0]:.0f} ({_hundredths(best[1])}) and "
                    f"{_hundredths(last[1])} at the end. The best model was kept.",
                )
            ]
        return []
    fifth = len(loss) // 5
    if fifth < 2:
        return []
    before, now = (
        mean(value for _, value in loss[-2 * fifth : -fifth]),
        mean(value for _, value in loss[-fifth:]),
    )
    if before <= 0 or now > (1 - FALLING) * before:
        return []
    return [
        _longer(
            loss[-1][0],
            f"The loss still falls: from {before:.3g} to {now:.3g} over the "
            "last two fifths of the steps.",
            longer,
        )
    ]


def no_masks(command: str, which: str) -> list[Advice]:
    """What to do where nothing is scored; `which` images are to have masks."""
    return [
        Advice(
            "Draw a few masks to score on",
            "No mask is read, so there is no score: tags beside predictions tell much, not all. "
            f"Masks of 20 to 50 {which} give the IoU of each class.",
            command,
        )
    ]


def unsure(scenes: Sequence[Scene]) -> list[Advice]:
    """Low confidence, or much that is 255, over all scenes."""
    found = []
    known = [scene.confidence for scene in scenes if scene.confidence is not None]
    if known and mean(known) < LOW:
        found.append(
            Advice(
                "Mind the low confidence",
                f"The mean confidence is {100 * mean(known):.0f} %. Larger images, prompts that "
                "fit your images and background_words of what is beside the objects raise it.",
            )
        )
    share = mean(scene.unsure for scene in scenes) if scenes else 0.0
    if share > 0.3:
        found.append(
            Advice(
                "Much is left unsure",
                f"{100 * share:.0f} % of the pixels are 255. A lower label.confidence decides on "
                "more of them, and is wrong more often.",
            )
        )
    return found


def _longer(steps: float, why: str, longer: Callable[[int], str]) -> Advice:
    return Advice("Train longer", f"{why} Try twice the steps.", longer(2 * int(steps)))


def _hundredths(score: float) -> str:
    return f"{100 * score:.1f}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - NAMED} more" if len(items) > NAMED else ""
    return ", ".join(items[:NAMED]) + more
