"""The embedded corpora: what their READMEs promise holds for their files."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from loading import load_classification, load_ner

from nlp_transfer.data.samples import sample_folder
from nlp_transfer.recipe import DataSection

NEWSROOM = "samples/newsroom"
INTENTS = "samples/support-intents"
SPLITS = ("train", "validation", "test")
TYPES = ("PER", "ORG", "LOC", "MISC")


@dataclass(frozen=True)
class Sentence:
    """A sentence as its file has it."""

    story: str
    words: tuple[str, ...]
    tags: tuple[str, ...]

    @property
    def entities(self) -> list[tuple[str, str]]:
        """Type and surface form of each entity, in order."""
        return [
            (kind, " ".join(self.words[start:end])) for kind, start, end in _spans(list(self.tags))
        ]

    @property
    def frame(self) -> str:
        """The sentence with each entity replaced by its type."""
        parts, position = [], 0
        for kind, start, end in _spans(list(self.tags)):
            parts += [*self.words[position:start], kind]
            position = end
        return _normalised(" ".join([*parts, *self.words[position:]]))


def _spans(tags: list[str]) -> list[tuple[str, int, int]]:
    starts = [position for position, tag in enumerate(tags) if tag.startswith("B-")]
    spans = []
    for start in starts:
        end = start + 1
        while end < len(tags) and tags[end].startswith("I-"):
            end += 1
        spans.append((tags[start][2:], start, end))
    return spans


def _normalised(text: str) -> str:
    """Leave out case and punctuation."""
    return " ".join(re.findall(r"\w+", text.casefold()))


@cache
def newsroom(split: str) -> tuple[Sentence, ...]:
    text = (sample_folder(NEWSROOM) / f"{split}.conll").read_text(encoding="utf-8")
    sentences, story = [], ""
    for block in text.strip("\n").split("\n\n"):
        lines = block.split("\n")
        if lines[0].startswith("# newdoc id = "):
            story = lines.pop(0).removeprefix("# newdoc id = ")
        words, tags = zip(*(line.split("\t") for line in lines), strict=True)
        sentences.append(Sentence(story, words, tags))
    return tuple(sentences)


@cache
def intents(split: str) -> tuple[tuple[str, str], ...]:
    path = sample_folder(INTENTS) / f"{split}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return tuple((row["text"], row["label"]) for row in csv.DictReader(file))


def _all_sentences() -> list[Sentence]:
    return [sentence for split in SPLITS for sentence in newsroom(split)]


def _forms(split: str) -> set[str]:
    return {form.lower() for sentence in newsroom(split) for _, form in sentence.entities}


def _table(source: str) -> dict[str, list[int]]:
    """Read the table of counts in a README: the first cell of a row -> its numbers."""
    text = (sample_folder(source) / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `?([\w ]+?)`? \|((?: [\d,]+ \|)+)$", text, re.MULTILINE)
    return {
        name: [int(cell.replace(",", "")) for cell in cells.strip(" |").split("|")]
        for name, cells in rows
    }


def _prose(source: str) -> str:
    """Read a README with its line breaks taken out."""
    return " ".join((sample_folder(source) / "README.md").read_text(encoding="utf-8").split())


def _with_total(counts: list[int]) -> list[int]:
    return [*counts, sum(counts)]


@pytest.mark.parametrize("split", SPLITS)
def test_newsroom_is_valid_iob2_of_four_types(split: str) -> None:
    for sentence in newsroom(split):
        previous = "O"
        for word, tag in zip(sentence.words, sentence.tags, strict=True):
            assert word
            assert not re.search(r"\s", word)
            assert tag == "O" or (tag[:2] in ("B-", "I-") and tag[2:] in TYPES)
            if tag.startswith("I-"):
                assert previous[2:] == tag[2:], (sentence.story, word)
            previous = tag


def test_newsroom_is_large_enough() -> None:
    sentences = _all_sentences()
    assert len(sentences) >= 600
    assert sum(len(sentence.entities) for sentence in sentences) >= 1500
    for split in SPLITS:
        found = {kind for sentence in newsroom(split) for kind, _ in sentence.entities}
        assert found == set(TYPES)


def test_newsroom_stories_are_whole_and_in_one_split() -> None:
    lengths = Counter(sentence.story for sentence in _all_sentences())
    assert min(lengths.values()) >= 4
    assert max(lengths.values()) <= 10
    homes = [{sentence.story for sentence in newsroom(split)} for split in SPLITS]
    assert sum(map(len, homes)) == len(set().union(*homes))
    for split in SPLITS:  # each story in one run of sentences
        order = [sentence.story for sentence in newsroom(split)]
        assert len(dict.fromkeys(order)) == 1 + sum(
            before != after for before, after in pairwise(order)
        )


def test_newsroom_repeats_no_sentence() -> None:
    counts = Counter(_normalised(" ".join(sentence.words)) for sentence in _all_sentences())
    assert [text for text, count in counts.items() if count > 1] == []


def test_newsroom_is_no_set_of_templates() -> None:
    counts = Counter(sentence.frame for sentence in _all_sentences())
    assert [frame for frame, count in counts.items() if count > 1] == []


def test_half_of_the_test_names_are_new() -> None:
    test, train = _forms("test"), _forms("train")
    assert len(test - train) >= len(test) / 2


def _is_headline(sentence: Sentence) -> bool:
    letters = "".join(sentence.words)
    return letters.isupper() and sum(word.isalpha() for word in sentence.words) >= 3


def _is_lower_cased_post(sentence: Sentence) -> bool:
    letters = "".join(sentence.words)
    return letters.islower() and len(sentence.words) >= 5 and bool(sentence.entities)


def _has_initials(sentence: Sentence) -> bool:
    return any(kind == "PER" and re.match(r"[^\W\d_]\. ", form) for kind, form in sentence.entities)


def _has_hyphenated_name(sentence: Sentence) -> bool:
    return any(re.search(r"[^\W\d_]-[^\W\d_]", form) for _, form in sentence.entities)


def _has_possessive_after_entity(sentence: Sentence) -> bool:
    return any(
        tag != "O" and next_tag == "O" and next_word in ("'s", "’s")
        for tag, next_tag, next_word in zip(
            sentence.tags, sentence.tags[1:], sentence.words[1:], strict=False
        )
    )


@pytest.mark.parametrize(
    "holds",
    [
        _is_headline,
        _is_lower_cased_post,
        _has_initials,
        _has_hyphenated_name,
        _has_possessive_after_entity,
    ],
)
def test_hard_phenomena_are_in_the_test_split(holds: Callable[[Sentence], bool]) -> None:
    assert any(holds(sentence) for sentence in newsroom("test"))


def test_newsroom_readme_states_the_measured_counts() -> None:
    table = _table(NEWSROOM)
    splits = [newsroom(split) for split in SPLITS]
    kinds = [Counter(kind for s in split for kind, _ in s.entities) for split in splits]
    forms = [_forms(split) for split in SPLITS]
    assert table["stories"] == _with_total([len({s.story for s in split}) for split in splits])
    assert table["sentences"] == _with_total([len(split) for split in splits])
    assert table["sentences without an entity"] == _with_total(
        [sum(not s.entities for s in split) for split in splits]
    )
    assert table["words"] == _with_total([sum(len(s.words) for s in split) for split in splits])
    assert table["entities"] == _with_total([sum(kind.values()) for kind in kinds])
    for name in TYPES:
        assert table[name] == _with_total([kind[name] for kind in kinds])
    assert table["distinct surface forms"] == [*map(len, forms), len(set().union(*forms))]

    unseen = [len(form - forms[0]) for form in forms]
    assert table["distinct forms not in train"] == [*unseen, len(set().union(*forms) - forms[0])]
    text = _prose(NEWSROOM)
    assert f"{100 * unseen[2] / len(forms[2]):.0f} % do not occur" in text
    lengths = [len(sentence.words) for sentence in _all_sentences()]
    stories = Counter(sentence.story for sentence in _all_sentences()).values()
    assert (
        f"A story has {min(stories)} to {max(stories)} sentences, "
        f"a sentence {min(lengths)} to {max(lengths)} words." in text
    )


def test_newsroom_loads_as_it_is_written() -> None:
    splits = load_ner(DataSection(source=NEWSROOM))
    assert splits.labels == tuple(sorted(TYPES))
    assert not any(losses.tags_repaired for losses in splits.losses.values())
    for split in SPLITS:
        rows = splits.datasets[split]
        assert [tuple(words) for words in rows["words"]] == [s.words for s in newsroom(split)]
        assert [tuple(tags) for tags in rows["tags"]] == [s.tags for s in newsroom(split)]
        assert list(rows["document"]) == [s.story for s in newsroom(split)]


def test_intents_are_many_and_in_all_splits() -> None:
    counts = Counter(label for split in SPLITS for _, label in intents(split))
    assert len(counts) >= 12
    assert min(counts.values()) >= 60
    for split in SPLITS:
        assert {label for _, label in intents(split)} == set(counts)


def test_intents_repeat_no_text() -> None:
    texts = [text for split in SPLITS for text, _ in intents(split)]
    assert all(text == text.strip() and text for text in texts)
    counts = Counter(map(_normalised, texts))
    assert [text for text, count in counts.items() if count > 1] == []


def test_intents_readme_states_the_measured_counts() -> None:
    table = _table(INTENTS)
    splits = [intents(split) for split in SPLITS]
    labels = [Counter(label for _, label in split) for split in splits]
    assert table["texts"] == _with_total([len(split) for split in splits])
    assert table["words"] == _with_total(
        [sum(len(text.split()) for text, _ in split) for split in splits]
    )
    for name in labels[0]:
        assert table[name] == _with_total([label[name] for label in labels])
    text = _prose(INTENTS)
    lengths = [len(text.split()) for split in splits for text, _ in split]
    assert f"lengths from {min(lengths)} to {max(lengths)} words" in text
    assert f"one of {len(labels[0])} intents" in text


def test_intents_load_as_they_are_written() -> None:
    splits = load_classification(DataSection(source=INTENTS))
    assert splits.labels == tuple(sorted({label for _, label in intents("train")}))
    for split in SPLITS:
        rows = splits.datasets[split]
        assert list(rows["text"]) == [text for text, _ in intents(split)]
        assert list(rows["labels"]) == [[label] for _, label in intents(split)]


@pytest.mark.parametrize("source", [NEWSROOM, INTENTS])
def test_corpora_carry_their_licence(source: str) -> None:
    folder: Path = sample_folder(source)
    licence = (folder / "LICENSE").read_text(encoding="utf-8")
    assert "CC0 1.0" in licence
    assert "creativecommons.org/publicdomain/zero/1.0/" in licence
    assert "CC0 1.0" in (folder / "README.md").read_text(encoding="utf-8")
