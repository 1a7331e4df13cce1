"""Character spans: the words they cover come out, and nothing else; what cannot be held is said."""

from __future__ import annotations

import json
import re
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loading import load_ner

from nlp_transfer.data.formats import format_of
from nlp_transfer.data.inputs import read_inputs
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.sources import open_source
from nlp_transfer.data.spans import CharSpan, read_spans, to_words
from nlp_transfer.data.tags import Span, spans
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.data.words import split_words
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.records import LossLedger

ANY_TEXT = st.text(
    st.one_of(st.sampled_from("aB1.'-@#:/ \n\t\r\u00a0\u200b\ufeff\ufe0fé€😀"), st.characters()),
    max_size=40,
)


def aligned(text, value, **options):
    data = DataSection(source="x", **options)
    return to_words(text, read_spans(value, "line 1"), where="line 1", data=data)


def refused(text, value, **options) -> str:
    with pytest.raises(UserError) as error:
        aligned(text, value, **options)
    return str(error.value)


def units(text, index, unit) -> int:
    """Count the units before a character as Java and C count them."""
    if unit == "characters":
        return index
    before = text[:index].encode("utf-16-le" if unit == "utf16" else "utf-8", "surrogatepass")
    return len(before) // 2 if unit == "utf16" else len(before)


@given(text=ANY_TEXT)
@settings(deadline=None, max_examples=300)
def test_every_character_but_white_space_is_in_one_word(text):
    held = [0] * len(text)
    for word in split_words(text, "unicode"):
        assert text[word.start : word.end] == word.text
        for index in range(word.start, word.end):
            held[index] += 1
    assert held == [int(not char.isspace()) for char in text]


def test_white_space_is_the_same_for_words_and_for_spans():
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    assert re.findall(r"\s", every) == list(filter(str.isspace, every))


@st.composite
def annotated(draw, texts=ANY_TEXT):
    """Draw a text and entities over its words, none twice on a word."""
    text = draw(texts)
    words, entities, word = split_words(text, "unicode"), [], 0
    while word < len(words):
        first = word + draw(st.integers(0, 2))
        last = first + draw(st.integers(0, 2))
        if last >= len(words):
            break
        entities.append(
            Span(draw(st.sampled_from(["PER", "LOC", "work of art", "O"])), first, last)
        )
        word = last + 1
    return text, words, entities


@given(
    drawn=annotated(), unit=st.sampled_from(["characters", "utf16", "utf8"]),
    data=st.data(), keys=st.sampled_from([("start", "end"), ("start_offset", "end_offset"), ()]),
)  # fmt: skip
@settings(deadline=None, max_examples=300)
def test_entities_over_words_come_back_in_every_unit(drawn, unit, data, keys):
    text, words, entities = drawn
    value, trimmed = [], 0
    for entity in entities:
        start, end = words[entity.first].start, words[entity.last].end
        wider = data.draw(st.booleans()) and text[end : end + 1].isspace()
        trimmed += wider
        place = [units(text, start, unit), units(text, end + wider, unit)]
        covered = text[start : end + wider]
        value.append(
            {**dict(zip(keys, place, strict=True)), "label": entity.type, "text": covered}
            if keys
            else [*place, entity.type]
        )
    found = aligned(text, data.draw(st.permutations(value)), offsets=unit)
    assert found.words == [word.text for word in words]
    assert spans(found.tags) == entities
    assert found.losses == LossLedger(spans_trimmed=trimmed)
    assert found.lost == []


@given(text=ANY_TEXT, data=st.data(), policy=st.sampled_from(["expand", "drop"]))
@settings(deadline=None, max_examples=300)
def test_no_span_is_lost_uncounted(text, data, policy):
    """Lay any spans over any text: each is kept, or counted with its type among the lost."""
    places = st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))
    drawn = data.draw(st.lists(st.tuples(places, st.sampled_from("AB")), max_size=6))
    value = {(*place, kind) for place, kind in drawn if text[slice(*place)].strip()}
    found = aligned(text, list(value), misaligned=policy, overlapping="longest")
    distinct = {
        (end - len(text[start:end].lstrip()), start + len(text[start:end].rstrip()), kind)
        for start, end, kind in value
    }
    kept = spans(found.tags)
    assert len(kept) + len(found.lost) == len(distinct)
    assert sorted([entity.type for entity in kept] + found.lost) == sorted(k for *_, k in distinct)
    assert found.losses.entities_dropped == len(found.lost)
    words = split_words(text, "unicode")
    for entity in kept:
        start, end = words[entity.first].start, words[entity.last].end
        inside = [
            text[start:s] + text[e:end]
            for s, e, kind in distinct
            if kind == entity.type
            if start <= s < words[entity.first].end and words[entity.last].start < e <= end
        ]
        exact = any(all(unicodedata.category(char) == "Cf" for char in left) for left in inside)
        assert exact or (policy == "expand" and inside)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ([0, 3, "PER"], CharSpan(0, 3, "PER", None)),
        ((0, 3, " PER "), CharSpan(0, 3, "PER", None)),
        ({"start": 0, "end": 3, "label": "PER", "text": "Ada"}, CharSpan(0, 3, "PER", "Ada")),
        ({"start_offset": 0, "end_offset": 3, "label": "PER"}, CharSpan(0, 3, "PER", None)),
        ({"start": 0, "end": 3, "labels": ["PER"]}, CharSpan(0, 3, "PER", None)),
        ({"start": 0, "end": 3, "entity_type": "PER"}, CharSpan(0, 3, "PER", None)),
        ({"start": 0, "end": 3, "type": "PER", "text": None}, CharSpan(0, 3, "PER", None)),
        ({"start": 0, "end": 3, "tag": "PER"}, CharSpan(0, 3, "PER", None)),
    ],
)
def test_spans_are_read_as_tools_write_them(item, expected):
    assert read_spans([item], "line 1") == [expected]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0-3", "line 1: the spans are '0-3'"),
        ({"start": [0]}, "they must be a list"),
        ([[0, 3]], "line 1: span 1 is [0, 3]; expected [start, end"),
        ([[0, 3, "A"], 7], "line 1: span 2 is 7"),
        ([["0", 3, "A"]], "its offset '0' is not a whole number"),
        ([[True, 3, "A"]], "its offset True"),
        ([[0.0, 3, "A"]], "its offset 0.0"),
        ([[0, float("nan"), "A"]], "its offset nan"),
        ([{"start": 0, "label": "A"}], "its offset None"),
        ([{"start": 0, "end": 3}], "its label is None"),
        ([[0, 3, ""]], "its label is ''"),
        ([[0, 3, "  "]], "its label is '  '"),
        ([[0, 3, 5]], "its label is 5"),
        ([[0, 3, "A\nB"]], "control character"),
        ([{"start": 0, "end": 3, "labels": ["A", "B"]}], "has 2 labels"),
        ([{"start": 0, "end": 3, "labels": []}], "has 0 labels"),
        ([{"start": 0, "end": 3, "label": "A", "text": 5}], "its text is 5"),
    ],
)
def test_what_is_no_span_is_named(value, expected):
    with pytest.raises(UserError, match=re.escape(expected)):
        read_spans(value, "line 1")


ADA = "Ada left  Rome"


@pytest.mark.parametrize(
    ("text", "value", "options", "expected"),
    [
        (ADA, [[6, 99, "A"]], {}, "line 1: span 6-99 (A) past the end of a 14-character text"),
        (ADA, [[14, 15, "A"]], {}, "past the end"),
        (ADA, [[-3, 2, "A"]], {}, "begins before the text"),
        (ADA, [[3, 3, "A"]], {}, "is empty"),
        (ADA, [[3, 0, "A"]], {}, "ends before it begins"),
        (ADA, [[8, 10, "A"]], {}, "span 8-10 (A) covers white space only, '  '"),
        ("", [[0, 1, "A"]], {}, "past the end of a 0-character text"),
        (ADA, [{"start": 0, "end": 3, "label": "A", "text": "Ado"}], {},
         "should cover 'Ado', but covers 'Ada'. Correct its offsets"),
        (ADA, [{"start": 0, "end": 2, "label": "A", "text": "Ada"}], {}, "Ends are exclusive"),
        ("😀 Ada", [{"start": 3, "end": 6, "label": "A", "text": "Ada"}], {},
         "past the end of a 5-character text. Counted in UTF-16-units it fits: try "
         "data.offsets=utf16"),
        ("😀 Ada left", [{"start": 3, "end": 6, "label": "A", "text": "Ada"}], {},
         "covers 'da '. Counted in UTF-16-units it fits: try data.offsets=utf16"),
        ("é Ada", [{"start": 3, "end": 6, "label": "A", "text": "Ada"}], {}, "data.offsets=utf8"),
        ("😀 Ada", [{"start": 2, "end": 5, "label": "A", "text": "Ada"}], {"offsets": "utf16"},
         "data.offsets=characters"),
        ("😀 Ada", [[1, 6, "A"]], {"offsets": "utf16"}, "offset 1 inside a character"),
        ("é Ada", [[0, 1, "A"]], {"offsets": "utf8"}, "offset 1 inside a character"),
        ("é Ada", [[0, 9, "A"]], {"offsets": "utf8"}, "past the end of a 6-UTF-8-byte text"),
        (ADA, [[1, 8, "A"]], {}, "'da left', begins inside the word 'Ada'"),
        (ADA, [[0, 7, "A"]], {}, "'Ada lef', ends inside the word 'left'"),
        (ADA, [[0, 7, "A"]], {}, "data.misaligned=expand"),
        (ADA, [[0, 8, "A"], [4, 14, "B"]], {}, "span 0-8 (A) and span 4-14 (B) overlap"),
        (ADA, [[0, 3, "A"], [0, 3, "B"]], {}, "data.overlapping=longest"),
        (ADA, [[0, 14, "A"], [4, 8, "A"]], {}, "span 0-14 (A) and span 4-8 (A) overlap"),
        (ADA, [[0, 1, "A"], [1, 3, "A"]], {"misaligned": "expand"}, "share a word"),
    ],
)  # fmt: skip
def test_spans_that_words_cannot_hold_are_refused(text, value, options, expected):
    assert expected in refused(text, value, **options)


@pytest.mark.parametrize(
    ("value", "options", "tags", "losses", "lost"),
    [
        ([[0, 3, "A"], [0, 3, "A"], [0, 4, "A"]], {}, "B-A O O", {"spans_trimmed": 1}, []),
        ([[3, 10, "A"]], {}, "O B-A O", {"spans_trimmed": 1}, []),
        ([[2, 7, "A"]], {"misaligned": "expand"}, "B-A I-A O", {"spans_expanded": 1}, []),
        ([[2, 7, "A"]], {"misaligned": "drop"}, "O O O", {"entities_dropped": 1}, ["A"]),
        ([[4, 8, "B"], [0, 8, "A"]], {"overlapping": "longest"}, "B-A I-A O",
         {"entities_dropped": 1}, ["B"]),
        ([[4, 8, "B"], [10, 14, "A"], [10, 14, "B"], [4, 8, "A"]], {"overlapping": "longest"},
         "O B-B B-A", {"entities_dropped": 2}, ["B", "A"]),
        ([[0, 1, "A"], [1, 3, "B"]], {"misaligned": "expand", "overlapping": "longest"},
         "B-B O O", {"entities_dropped": 1, "spans_expanded": 1}, ["A"]),
        ([[0, 7, "B"], [0, 3, "A"]], {"misaligned": "drop"}, "B-A O O",
         {"entities_dropped": 1}, ["B"]),
    ],
)  # fmt: skip
def test_what_is_changed_or_left_out_is_counted(value, options, tags, losses, lost):
    found = aligned(ADA, value, **options)
    assert found.tags == tags.split()
    assert found.losses == LossLedger(**losses)
    assert found.lost == lost


def test_the_text_of_a_span_may_have_other_white_space():
    value = [{"start": 4, "end": 14, "label": "A", "text": "left Rome"}]
    assert aligned(ADA, value).tags == ["O", "B-A", "I-A"]


# brat


def read(path, **options):
    _, (split,) = open_source(DataSection(source=str(path), **options))
    return list(split.read())


def named(path):
    with DataFile(path) as file:
        return format_of(file, DataSection(source=str(path))).name


def pair(folder, text, notes, name="a"):
    (folder / f"{name}.txt").write_bytes(text.encode())
    (folder / f"{name}.ann").write_bytes(notes.encode())
    return folder


def test_a_brat_folder_is_one_row_a_document_by_name(tmp_path):
    pair(tmp_path, "Ada left Rome", "", name="b")
    notes = (
        "T1\tPER 0 3\tAda\n\nR1\tWork Arg1:T1 Arg2:T2\nE1\tMove:T2 A:T1\nA1\tNeg E1\nM1\tNeg E1\n"
        "N1\tReference T1 Wikipedia:1\tAda\n#1\tAnnotatorNotes T1\tx\n*\tEquiv T1 T2\n"
        "T2\tLOC 5 8;10 14\tNew York\n"
    )
    pair(tmp_path, "Ada\r\nNew\r\nYork", notes, name="a")
    first, second = read(tmp_path)
    assert first == RawRow(
        str(tmp_path / "a.txt"),
        {
            "text": "Ada\r\nNew\r\nYork",
            "id": "a",
            "document": "a",
            "spans": [
                {"start": 0, "end": 3, "label": "PER"},
                {"start": 5, "end": 14, "label": "LOC"},
            ],
        },
    )
    assert second.values["spans"] == []
    for name in ("a.txt", "a.ann"):
        assert read(tmp_path / name, format="brat") == [first]


def test_brat_counts_a_byte_order_mark(tmp_path):
    pair(tmp_path, "\ufeffAda", "T1\tPER 1 4\tAda\n")
    assert read(tmp_path)[0].values["text"] == "\ufeffAda"
    pair(tmp_path, "\ufeffAda", "T1\tPER 0 3\tAda\n")
    assert read(tmp_path, encoding="utf-8-sig")[0].values["text"] == "Ada"


@pytest.mark.parametrize(
    ("notes", "expected"),
    [
        ("T1 PER 0 3 Ada\n", "a.ann:1: 'T1 PER 0 3 Ada' is no line of brat's"),
        ("\nT1\tPER 0 x\tAda\n", "a.ann:2:"),
        ("hello\n", "is no line of brat's"),
        ("T1\tPER 0 3\tAdo\n", "'Ado' should be at 0-3, but the text has 'Ada' there"),
        ("T1\tPER 0 99\tAda\n", "a.ann:1: 0 99 is no place in a 13-character text"),
        ("T1\tPER 3 0\tAda\n", "3 0 is no place"),
        ("T1\tPER 0 3;9 13\tAda Rome\n", "the entity 'Ada Rome' is in 2 pieces"),
        ("T1\tPER 9 13;0 3\tRome Ada\n", "out of order"),
    ],
)
def test_brat_lines_that_cannot_be_used_are_named(tmp_path, notes, expected):
    with pytest.raises(UserError, match=re.escape(expected)):
        read(pair(tmp_path, "Ada left Rome", notes))


def test_brat_pieces_are_covered_on_request(tmp_path):
    pair(tmp_path, "Ada left Rome", "T1\tPER 0 3;9 13\tAda Rome\n")
    (row,) = read(tmp_path, misaligned="expand")
    (found,) = row.values["spans"]
    assert found == {"start": 0, "end": 13, "label": "PER", "pieces": [(0, 3), (9, 13)]}


@pytest.mark.parametrize("misaligned", ["expand", "drop"])
def test_brat_pieces_are_counted_however_they_are_read(tmp_path, misaligned):
    pair(tmp_path, "Ada left Rome", "T1\tPER 0 3;9 13\tAda Rome\nT2\tV 4 8\tleft\n")
    data = DataSection(source=str(tmp_path), misaligned=misaligned, overlapping="longest")
    splits = load_ner(data, held_out=False)
    tags, counts = {
        "expand": (["B-PER", "I-PER", "I-PER"], {"spans_expanded": 1, "entities_dropped": 1}),
        "drop": (["O", "B-V", "O"], {"entities_dropped": 1}),
    }[misaligned]
    assert splits["train"]["tags"][0] == tags
    assert splits.losses["train"] == LossLedger(**counts)


def test_pieces_of_a_span_are_refused_with_both_ways_out():
    with pytest.raises(UserError, match=r"in pieces.*misaligned=expand.*misaligned=drop"):
        aligned(ADA, [{"start": 0, "end": 13, "label": "A", "pieces": [[0, 3], [9, 13]]}])


def test_half_a_brat_pair_is_named(tmp_path):
    (tmp_path / "a.ann").write_text("")
    with pytest.raises(UserError, match=r"a\.ann: its text a\.txt is missing"):
        read(tmp_path, format="brat")
    (tmp_path / "a.ann").rename(tmp_path / "a.txt")
    with pytest.raises(UserError, match=r"a\.txt: its annotations a\.ann are missing"):
        read(tmp_path / "a.txt", format="brat")
    (row,) = read_inputs(DataSection(source=str(tmp_path), format="brat"))
    assert row.values == {"text": "", "id": "a", "document": "a"}
    (tmp_path / "a.txt").rename(tmp_path / "a.md")
    with pytest.raises(UserError, match=r"there is no \.txt and \.ann pair"):
        read(tmp_path / "a.md", format="brat")


# Label Studio


def task(*results, number=1, **data):
    annotation = {"id": 9, "completed_by": 2, "was_cancelled": False, "result": list(results)}
    data = data or {"text": ADA}
    return {"id": number, "data": data, "annotations": [annotation], "predictions": []}


def result(kind="labels", name="label", target="text", **value):
    value = value or {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}
    return {"type": kind, "from_name": name, "to_name": target, "value": value}


def studio(tmp_path, items, **options):
    file = tmp_path / "export.json"
    file.write_text(json.dumps(items), encoding="utf-8")
    return read(file, format="label-studio", **options)


def test_label_studio_regions_are_spans(tmp_path):
    relation = {"type": "relation", "from_id": "a", "to_id": "b", "direction": "right"}
    about_region = result("choices", start=0, end=3, choices=["sure"])
    items = [task(result(), relation, about_region, number=12), task()]
    first, second = studio(tmp_path, items)
    assert named(tmp_path / "export.json") == "label-studio"
    assert first.where == f"{tmp_path / 'export.json'}: item 0 (task 12)"
    span = {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}
    assert first.values == {"text": ADA, "id": 12, "spans": [span]}
    assert second.values["spans"] == []


def test_label_studio_choices_are_labels(tmp_path):
    one, two = (result("choices", "mood", choices=found) for found in (["pos"], ["a", "b"]))
    values = [row.values for row in studio(tmp_path, [task(one), task(two), task()])]
    assert [value["label"] for value in values] == ["pos", ["a", "b"], None]
    assert [value["mood"] for value in values] == ["pos", ["a", "b"], None]
    assert not any("spans" in value for value in values)
    (row,) = studio(tmp_path, [task(result("choices", "text", choices=["pos"]))])
    assert (row.values["text"], row.values["label"]) == (ADA, "pos")


def test_label_studio_answers_to_several_questions_are_not_mixed(tmp_path):
    one, other = (result("choices", name, choices=["a"]) for name in ("mood", "topic"))
    values = [row.values for row in studio(tmp_path, [task(one, other, result()), task(other)])]
    assert not any("label" in value for value in values)
    assert [(value["mood"], value["topic"]) for value in values] == [("a", "a"), (None, "a")]
    assert [len(value["spans"]) for value in values] == [1, 0]


def test_label_studio_finds_the_text(tmp_path):
    region = result(target="body")
    for data in ({"body": ADA, "text": "?"}, {"body": ADA}, {"other": ADA, "n": 1}):
        assert studio(tmp_path, [task(region, **data)])[0].values["text"] == ADA
    line_break = result(start=0, end=7, labels=["A"], text="Ada\\nRom")
    (row,) = studio(tmp_path, [task(line_break, text="Ada\nRom", id="x", document="d")])
    assert row.values["spans"][0]["text"] == "Ada\nRom"
    assert (row.values["id"], row.values["document"]) == ("x", "d")


def test_label_studio_tasks_without_annotation_are_dropped_on_request_only(tmp_path):
    cancelled = task()
    cancelled["annotations"][0]["was_cancelled"] = True
    items = [task(result()), cancelled, {**task(), "annotations": []}]
    with pytest.raises(
        UserError, match=r"item 1 \(task 1\): .* \(2 such task\(s\)\).*drop_missing"
    ):
        studio(tmp_path, items)
    kept, *dropped = studio(tmp_path, items, drop_missing=True)
    assert kept.values["text"] == ADA
    assert [row.values["text"] for row in dropped] == [None, None]
    inputs = read_inputs(DataSection(source=str(tmp_path / "export.json")))
    assert [row.values["text"] for row in inputs] == [ADA] * 3


def test_label_studio_annotators_who_agree_are_one_and_the_ground_truth_goes_first(tmp_path):
    one, other = (task(result("choices", choices=[found])) for found in ("pos", "neg"))
    (agreed,) = studio(tmp_path, [{**one, "annotations": one["annotations"] * 2}])
    assert agreed.values["label"] == "pos"
    truth = {**other["annotations"][0], "ground_truth": True}
    (chosen,) = studio(tmp_path, [{**one, "annotations": [*one["annotations"], truth]}])
    assert chosen.values["label"] == "neg"


def about(target, **data):
    return task(result("choices", "mood", target, choices=["pos"]), **data)


TITLED = {"text": "A title", "body": "I love it"}


def test_label_studio_never_takes_another_text_in_silence(tmp_path):
    for target in ("text", "review"):  # a name of a tag, which may show any part of the data
        with pytest.raises(UserError, match=r"\(text, body\).*data\.columns\.text=KEY"):
            studio(tmp_path, [about(target, **TITLED)])
    (told,) = studio(tmp_path, [about("text", **TITLED)], columns={"text": "body"})
    assert told.values["body"] == "I love it"
    assert "text" not in told.values
    for target, data in (("body", TITLED), ("text", {"text": "I love it", "source": "web"})):
        (row,) = studio(tmp_path, [about(target, **data)])
        assert row.values["text"] == "I love it"


def test_label_studio_regions_tell_their_text_for_all_tasks(tmp_path):
    region = result(start=2, end=6, text="love", labels=["V"])
    rows = studio(tmp_path, [task(**TITLED), task(region, **TITLED)])
    assert [row.values["text"] for row in rows] == ["I love it"] * 2


def test_label_studio_reads_the_labels_of_the_text_that_is_asked_for(tmp_path):
    of_body = result(target="body", start=2, end=6, labels=["V"])
    items = [task(of_body, result(target="text", start=2, end=7, labels=["N"]), **TITLED)]
    with pytest.raises(UserError, match="about several texts, body, text"):
        studio(tmp_path, items)
    (row,) = studio(tmp_path, items, columns={"text": "body"})
    assert row.values["spans"] == [{"start": 2, "end": 6, "labels": ["V"]}]
    choice = result("choices", "kind", "text", choices=["short"])
    mixed = [task(choice, result("choices", "mood", "body", choices=["pos"]), **TITLED)]
    (row,) = studio(tmp_path, mixed, columns={"label": "mood"})
    assert (row.values["text"], row.values["mood"]) == ("I love it", "pos")
    with pytest.raises(UserError, match=r"data\.columns\.label=QUESTION"):
        studio(tmp_path, mixed)


def test_label_studio_minimal_json_is_known_by_a_task_without_entities(tmp_path):
    empty = {"text": "Nothing here", "id": 1, "annotator": 1, "annotation_id": 5}
    full = {**empty, "text": "Ada left", "id": 2, "label": [
        {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}]}  # fmt: skip
    older = [{k: v for k, v in i.items() if k[:3] != "ann"} for i in (empty, full)]
    for items in ([empty, full], older):
        path = tmp_path / "min.json"
        path.write_text(json.dumps(items))
        splits = load_ner(DataSection(source=str(path)), held_out=False)
        assert list(splits["train"]["tags"]) == [["O", "O"], ["B-PER", "O"]]


def test_label_studio_minimal_json(tmp_path):
    region = {"start": 0, "end": 3, "text": "Ada", "labels": ["PER"]}
    items = [{"id": 1, "text": ADA, "ner": [region], "annotator": 1}, {"id": 2, "text": "no"}]
    others = [{"id": 1, "text": ADA, "sentiment": "pos"}, {"text": ADA, "label": [[0, 3, "PER"]]}]
    for found, name in ((items, "label-studio"), (others, "jsonl")):
        (tmp_path / "found.json").write_text(json.dumps(found))
        assert named(tmp_path / "found.json") == name
    first, second = studio(tmp_path, items)
    assert first.values == {"id": 1, "text": ADA, "annotator": 1, "spans": [region]}
    assert second.values["spans"] == []
    with pytest.raises(UserError, match=r"item 1 \(task 1\): the same task as .*item 0"):
        studio(tmp_path, [items[0], items[0]])


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ({"a": 1}, "this is not a Label Studio export"),
        ([1], "this is not a Label Studio export"),
        ([{**task(), "data": "x"}], "its data are 'x'"),
        (
            [{**task(), "annotations": [*task()["annotations"], *task(result())["annotations"]]}],
            "2 completed annotations that differ (by 2, 2). Mark the right one as ground truth",
        ),
        ([task("x")], "a result is 'x'"),
        ([task(result("choices", choices="x"))], "its choices are 'x'"),
        ([{**task(), "annotations": [{"result": None}]}], "no list of results"),
        ([task({**result(), "value": 5})], "a result has the value 5"),
        ([task(result("hypertextlabels"))], "type hypertextlabels"),
        ([task(result(), result(target="title"))], "about several texts, text, title"),
        ([task(a="x", b="y")], "none of its data is surely the text (a, b)"),
    ],
)
def test_label_studio_tasks_that_cannot_be_used_are_named(tmp_path, items, expected):
    with pytest.raises(UserError, match=re.escape(expected)):
        studio(tmp_path, items)


def test_label_studio_names_the_place_of_bad_json(tmp_path):
    (tmp_path / "bad.json").write_text('[\n{"data": }]')
    with pytest.raises(UserError, match=r"bad\.json:2: .*column 10"):
        read(tmp_path / "bad.json", format="label-studio")


# spaCy


@pytest.fixture
def docbin(tmp_path):
    spacy = pytest.importorskip("spacy")
    nlp = spacy.blank("xx")

    def write(*drafts):
        file = spacy.tokens.DocBin(store_user_data=True)
        for text, entities, cats in drafts:
            doc = nlp.make_doc(text)
            doc.cats = cats
            if entities is not None:
                doc.ents = [doc.char_span(*entity) for entity in entities]
            file.add(doc)
        file.to_disk(tmp_path / "train.spacy")
        return tmp_path / "train.spacy"

    return write


def test_spacy_documents_have_words_tags_and_labels(docbin):
    drafts = [
        ("Ada  Lovelace\n left", [(0, 13, "PER")], {}),
        ("no entity", [], {}),
        ("good", None, {"pos": 1.0, "neg": 0.0}),
        ("both", None, {"pos": 1.0, "neg": 1.0}),
    ]
    values = [row.values for row in read(docbin(*drafts))]
    assert values == [
        {
            "text": drafts[0][0],
            "tokens": ["Ada", "Lovelace", "left"],
            "tags": ["B-PER", "I-PER", "O"],
        },
        {"text": "no entity", "tokens": ["no", "entity"], "tags": ["O", "O"]},
        {"text": "good", "label": "pos"},
        {"text": "both", "label": ["pos", "neg"]},
    ]


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        (("bare", None, {}), "item 0: neither doc.ents nor doc.cats is set"),
        (("unsure", None, {"pos": 0.7}), "the category 'pos' has the value 0.7"),
        (("Ada  left", [(0, 5, "PER")], {}), "begins or ends with white space"),
    ],
)
def test_spacy_documents_that_cannot_be_used_are_named(docbin, draft, expected):
    with pytest.raises(UserError, match=re.escape(expected)):
        read(docbin(draft))


def test_what_is_no_docbin_is_named(docbin):
    file = docbin()
    file.write_bytes(b"junk")
    with pytest.raises(UserError, match="this is not a DocBin"):
        read(file)


def test_a_missing_spacy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "spacy", None)
    (tmp_path / "train.spacy").write_bytes(b"")
    with pytest.raises(UserError, match="pip install spacy"):
        read(tmp_path / "train.spacy")
