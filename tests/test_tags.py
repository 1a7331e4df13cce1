"""Tag schemes: whatever comes in leaves as valid IOB2, the entities unchanged."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_transfer.data.tags import (
    Span,
    iob2_labels,
    neighbours,
    scheme_of,
    spans,
    split_tag,
    to_iob2,
)

TYPES = ("PER", "LOC", "E-mail", "B-cell", "I", "O", "work-of-art", "Ö")
PREFIXES = {  # begin, inside, end, single
    "iob2": "BIIB",
    "bioes": "BIES",
    "bilou": "BILU",
}


@st.composite
def sentences(draw, types=TYPES):
    """Draw the length of a sentence and its entities, from left to right."""
    found, word = [], 0
    for _ in range(draw(st.integers(0, 6))):
        first = word + draw(st.integers(0, 2))
        last = first + draw(st.integers(0, 3))
        found.append(Span(draw(st.sampled_from(types)), first, last))
        word = last + 1
    return word + draw(st.integers(0, 2)), found


def written(length: int, entities: list[Span], scheme: str) -> list[str]:
    """Write entities as tags of a scheme; an independent spelling of each scheme's definition."""
    tags = ["O"] * length
    for number, (kind, first, last) in enumerate(entities):
        for index in range(first, last + 1):
            if scheme == "iob1":
                before = entities[number - 1] if number else None
                touches = before and before.last == first - 1 and before.type == kind
                prefix = "B" if index == first and touches else "I"
            elif scheme == "io":
                tags[index] = kind
                continue
            else:
                begin, inside, end, single = PREFIXES[scheme]
                prefix = inside
                if first == last:
                    prefix = single
                elif index == first:
                    prefix = begin
                elif index == last:
                    prefix = end
            tags[index] = f"{prefix}-{kind}"
    return tags


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "bioes", "bilou"])
@given(sentence=sentences())
@settings(deadline=None, max_examples=50)
def test_entities_survive_every_scheme(scheme, sentence):
    length, entities = sentence
    converted, repairs = to_iob2(written(length, entities, scheme), scheme)
    assert converted == written(length, entities, "iob2")
    assert spans(converted) == entities
    assert repairs == []


@given(sentence=sentences(types=("PER", "LOC", "work-of-art")))
@settings(deadline=None, max_examples=50)
def test_io_tags_join_touching_entities_of_one_type_and_lose_no_word(sentence):
    length, entities = sentence
    tags = written(length, entities, "io")
    converted, repairs = to_iob2(tags, "io")
    assert [tag[2:] or "O" for tag in converted] == tags
    for before, after in zip(spans(converted), spans(converted)[1:], strict=False):
        assert before.type != after.type or before.last + 1 < after.first
    assert repairs == []


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "bioes", "bilou", "io"])
@given(
    tags=st.lists(
        st.one_of(
            st.just("O"),
            st.builds("{}-{}".format, st.sampled_from("BIESLU"), st.sampled_from("xy")),
            st.sampled_from(["x", "y", "0", "B-", "-", "I"]),
        )
    )
)
@settings(deadline=None, max_examples=50)
def test_whatever_comes_in_valid_iob2_of_the_same_length_leaves(scheme, tags):
    converted, repairs = to_iob2(tags, scheme)
    assert len(converted) == len(tags)
    assert [tag == "O" for tag in converted] == [tag == "O" for tag in tags]
    before = "O"
    for tag in converted:
        assert tag[:2] != "I-" or before[2:] == tag[2:]
        before = tag
    assert set(repairs) <= set(range(len(tags)))
    assert to_iob2(converted, "iob2") == (converted, [])


@pytest.mark.parametrize(
    ("scheme", "tags", "iob2", "repairs"),
    [
        ("iob2", "O I-x I-x", "O B-x I-x", 1),
        ("iob2", "B-x I-y", "B-x B-y", 1),
        ("iob2", "B-x O I-x", "B-x O B-x", 1),
        ("iob2", "B-x x x", "B-x I-x I-x", 0),
        ("iob1", "I-x I-y B-y", "B-x B-y B-y", 0),
        ("iob1", "B-x I-x", "B-x I-x", 0),
        ("bioes", "S-x S-x", "B-x B-x", 0),
        ("bioes", "B-x I-x O", "B-x I-x O", 1),
        ("bioes", "B-x", "B-x", 1),
        ("bioes", "I-x", "B-x", 1),
        ("bioes", "E-x E-x", "B-x B-x", 2),
        ("bioes", "B-x B-x E-x", "B-x B-x I-x", 1),
        ("bioes", "B-x E-y", "B-x B-y", 2),
        ("bilou", "B-x I-x L-x L-x U-x", "B-x I-x I-x B-x B-x", 1),
        ("bilou", "B-x U-x", "B-x B-x", 1),
    ],
)
def test_tags_that_break_their_scheme_are_repaired_and_counted(scheme, tags, iob2, repairs):
    converted, broken = to_iob2(tags.split(), scheme)
    assert (converted, len(broken)) == (iob2.split(), repairs)


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("B-x I-x O B-y", "iob2"),
        ("O B-x", "iob2"),
        ("B-x I-x O I-y", "iob2"),
        ("I-x B-x O I-y", "iob1"),
        ("O I-x I-y", "iob1"),
        ("I-x B-x O B-y", "iob2"),
        ("B-x E-x O", "bioes"),
        ("S-x O", "bioes"),
        ("B-x L-x O", "bilou"),
        ("O U-x", "bilou"),
        ("O person person", "iob2"),  # refused: they may be parts of speech
        ("O O", "iob2"),
        ("", "iob2"),
    ],
)
def test_the_scheme_is_told_from_the_tags(text, scheme):
    assert scheme_of(neighbours(text.split())) == scheme


def test_the_scheme_is_told_from_all_sentences():
    assert scheme_of([("O", "O"), ("O", "B-x"), ("B-x", "I-x"), ("O", "S-x")]) == "bioes"


def test_one_stray_tag_does_not_turn_iob2_into_io():
    """Read as IO, the two touching people below would silently become one."""
    sentence = ["B-PER", "B-PER", "0"]
    assert scheme_of(neighbours(sentence)) == "iob2"
    assert to_iob2(sentence, "iob2") == (["B-PER", "B-PER", "B-0"], [2])


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "bioes", "bilou"])
@given(drawn=st.lists(sentences(types=("PER", "LOC")), min_size=1, max_size=5))
@settings(deadline=None, max_examples=50)
def test_reading_by_the_detected_scheme_gives_the_entities_back(scheme, drawn):
    tags = [written(length, entities, scheme) for length, entities in drawn]
    told = scheme_of(pair for sentence in tags for pair in neighbours(sentence))
    for one, (_, entities) in zip(tags, drawn, strict=True):
        assert spans(to_iob2(one, told)[0]) == entities


@pytest.mark.parametrize(
    ("tag", "parts"),
    [
        ("O", ("O", "")),
        ("B-work-of-art", ("B", "work-of-art")),
        ("I-E-mail", ("I", "E-mail")),
        ("work-of-art", ("", "work-of-art")),
        ("person", ("", "person")),
        ("B-", ("", "B-")),
        ("-x", ("", "-x")),
        ("B", ("", "B")),
    ],
)
def test_a_tag_is_split_at_its_first_hyphen_only(tag, parts):
    assert split_tag(tag) == parts


def test_the_label_map_has_begin_and_inside_of_every_type():
    assert iob2_labels(["PER", "E-mail"]) == ["O", "B-PER", "I-PER", "B-E-mail", "I-E-mail"]
