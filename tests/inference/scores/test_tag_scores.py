"""Precision, recall and F1 of tags, on counts that can be followed by hand."""

from weclip.inference.scores.tag_scores import TagScores, score_tags

NAMES = ("bird", "cat", "dog")


def test_micro_counts_pairs_and_macro_classes():
    given = {"a": (0, 1), "b": (0,), "c": (2,), "unknown": (1,)}
    true = {"a": (0,), "b": (0, 1), "c": (), "elsewhere": (2,)}
    scores = score_tags(given, true, NAMES)
    assert scores["micro"] == TagScores(precision=2 / 4, recall=2 / 3, f1=4 / 7)
    assert scores["class bird"] == TagScores(1, 1, 1)
    assert scores["class cat"] == TagScores(0, 0, 0)
    assert "class dog" not in scores  # no image truly has it
    assert scores["macro"] == TagScores(0.5, 0.5, 0.5)


def test_nothing_found_is_zero():
    assert score_tags({"a": ()}, {"a": ()}, NAMES)["micro"] == TagScores(0, 0, 0)
