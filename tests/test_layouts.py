"""Files of words and tags, laid out and spelled as people do: the right reading, or a way to it."""

from __future__ import annotations

import json

import pytest
from loading import load_ner

from nlp_transfer.data.inputs import read_inputs
from nlp_transfer.data.tags import spans
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

WORDS = [["Mara", "Lund", "visited", "Kiel"], ["no", "Tom"]]
TAGS = [["B-PER", "I-PER", "O", "B-LOC"], ["O", "B-PER"]]
FOUND = [["PER Mara Lund", "LOC Kiel"], ["PER Tom"]]


def lines(row="{word} {tag}", *, start=1, running=False, blank=True, tags=TAGS) -> str:
    """Write the sentences, a word a line; a row may have {sentence} and {number} too."""
    text, number = [], start
    for sentence, (words, own) in enumerate(zip(WORDS, tags, strict=True)):
        number = number if running else start
        for word, tag in zip(words, own, strict=True):
            values = {"word": word, "tag": tag, "number": number, "sentence": sentence}
            values |= {"at": 7 * number, "end": 7 * number + 5}
            text.append("\t".join(row.format(**values).split(" ")))
            number += 1
        text += [""] if blank else []
    return "\n".join(text) + "\n"


def load(tmp_path, text, name="test.conll", *, types=None, **data):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    options = {"source": str(tmp_path), "splits": {"test": name}, **data}
    return load_ner(DataSection(**options), types=types)


def read(tmp_path, text, name="test.conll", **data):
    """List the words of each sentence, and its entities as "TYPE words"."""
    rows = load(tmp_path, text, name, **data)["test"]
    entities = [
        [" ".join([span.type, *words[span.first : span.last + 1]]) for span in spans(tags)]
        for words, tags in zip(rows["words"], rows["tags"], strict=True)
    ]
    return list(rows["words"]), entities


def refusal(tmp_path, text, name="test.conll", **data) -> str:
    with pytest.raises(UserError) as caught:
        load(tmp_path, text, name, **data)
    return str(caught.value)


# --- columns of CoNLL files -----------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 1, 17])
@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("row", ["{number} {word} {tag}", "{number} {word} {tag} _ anna"])
def test_numbers_of_words_are_no_words(tmp_path, start, running, row):
    assert read(tmp_path, lines(row, start=start, running=running)) == (WORDS, FOUND)


def test_numbers_of_sentences_of_one_word_are_no_words(tmp_path):
    assert read(tmp_path, "1\tno\tO\n\n1\tTom\tB-PER\n")[0] == [["no"], ["Tom"]]


LONGER = {"words": [*WORDS, ["He", "slept", "."]], "tags": [*TAGS, ["O", "O", "O"]]}


def rows_of(row: str, *, end: str = "\n") -> str:
    """Write the sentences and one more; a row may have {sentence}, {number} and {running}."""
    text, running = "", 0
    for sentence, (words, tags) in enumerate(zip(*LONGER.values(), strict=True)):
        for number, (word, tag) in enumerate(zip(words, tags, strict=True), 1):
            values = {"sentence": sentence, "number": number, "running": (running := running + 1)}
            values |= {"left": len(words) - number, "length": len(word)}
            text += row.format(word=word, tag=tag, **values).replace(" ", "\t") + "\n"
        text += end
    return text


@pytest.mark.parametrize(
    "numbers",
    [
        "T{running}", "w{number}", "tok_{number}", "s{sentence}w{number}", "{number}.",
        "({number})", "{running}/9", "+{number}", "-{number}", "[{running},{running})",
    ],
)  # fmt: skip
def test_numbers_of_words_with_signs_around_are_no_words(tmp_path, numbers):
    found = read(tmp_path, rows_of(numbers + " {word} {tag}"))
    assert found == (LONGER["words"], [*FOUND, []])


@pytest.mark.parametrize("names", ["news doc1 {sentence}", "doc1 {sentence} {number}"])
@pytest.mark.parametrize("end", ["\n", ""])
def test_documents_may_be_named_before_their_sentences(tmp_path, names, end):
    found = read(tmp_path, rows_of(names + " {word} {tag}", end=end))
    assert found == (LONGER["words"], [*FOUND, []])


@pytest.mark.parametrize("numbers", ["{left}", "{length}"])
def test_numbers_that_are_no_numbering_are_asked_about(tmp_path, numbers):
    text = rows_of(numbers + " {word} {tag}")
    assert "column 0 holds nothing but numbers" in refusal(tmp_path, text)
    assert read(tmp_path, text, columns={"tokens": 1})[0] == LONGER["words"]
    assert read(tmp_path, text, columns={"tokens": 0})[0][1] != LONGER["words"][1]


@pytest.mark.parametrize(
    "row",
    ["{sentence} {word} {tag}", "{sentence} {number} {word} {tag}", "d{sentence} {word} {tag}"],
)
@pytest.mark.parametrize("blank", [True, False])
def test_numbers_and_names_of_sentences_are_no_words(tmp_path, row, blank):
    assert read(tmp_path, lines(row, blank=blank)) == (WORDS, FOUND)


@pytest.mark.parametrize(
    "row", ["{at} {end} {word} {tag}", "{sentence}-{number} {at} {word} {tag}"]
)
def test_offsets_of_words_are_no_words(tmp_path, row):
    assert read(tmp_path, lines(row)) == (WORDS, FOUND)


def test_word_numbers_that_begin_anew_begin_a_sentence(tmp_path):
    assert read(tmp_path, lines("{number} {word} {tag}", blank=False)) == (WORDS, FOUND)


def test_a_column_that_the_recipe_names_tells_sentences_apart(tmp_path):
    text = lines("{word} {sentence} {tag}", blank=False)
    assert read(tmp_path, text, columns={"sentence": 1}) == (WORDS, FOUND)


@pytest.mark.parametrize("text", ["1999 CD O\n2000 CD O\n", "7 CD O\n7 CD B-NUM\n", "7 O\n8 O\n"])
def test_words_that_are_numbers_stay_words(tmp_path, text):
    words, _ = read(tmp_path, text)
    assert words == [[line.split()[0] for line in text.splitlines()]]


@pytest.mark.parametrize(
    "row", ["{tag} {word}", "{number} {tag} {word}", "{word} {tag} 0.5", "{number} {word} X {tag}"]
)
@pytest.mark.parametrize("name", ["test.conll", "test.tsv", "test.txt"])
def test_tags_are_found_where_they_are(tmp_path, row, name):
    assert read(tmp_path, lines(row), name) == (WORDS, FOUND)


@pytest.mark.parametrize("columns", [{}, {"tags": 0}, {"tokens": 1}, {"tokens": 1, "tags": 0}])
def test_the_words_are_in_the_column_that_has_no_tags(tmp_path, columns):
    assert read(tmp_path, lines("{tag} {word}"), columns=columns) == (WORDS, FOUND)


@pytest.mark.parametrize("columns", [{"tokens": 0, "tags": 0}, {"tokens": 1, "tags": -1}])
def test_one_column_is_never_both_words_and_tags(tmp_path, columns):
    assert "cannot be both" in refusal(tmp_path, lines(), columns=columns)


@pytest.mark.parametrize("columns", [{}, {"tags": 0}])
def test_with_tags_first_and_two_other_columns_the_words_are_asked_for(tmp_path, columns):
    text = lines("{tag} X {word}")
    assert "data.columns.tokens=NUMBER" in refusal(tmp_path, text, columns=columns)
    assert read(tmp_path, text, columns={**columns, "tokens": 2}) == (WORDS, FOUND)
    with pytest.raises(UserError, match=r"data\.columns\.tokens=NUMBER"):
        to_predict(tmp_path, text, "test.conll")
    assert [row["tokens"] for row in to_predict(tmp_path, text, "test.conll", tokens=2)] == WORDS


def test_two_columns_of_tags_before_another_are_asked_for(tmp_path):
    text = lines("{word} {tag} {tag} x1")
    assert "columns 1 and 2 both look like tags" in refusal(tmp_path, text)
    assert read(tmp_path, text, columns={"tags": 2}) == (WORDS, FOUND)


GERMEVAL = (
    "#\thttp://example.org/a [2009-10-17]\n1\tin\tO\tO\n2\tKiel\tB-LOC\tO\n\n"
    "#\tn-tv\n1\tTroja\tB-OTH\tB-LOC\n2\tTraum\tI-OTH\tO\n\n"
)


@pytest.mark.parametrize(
    ("columns", "found"),
    [({}, [["LOC Kiel"], ["OTH Troja Traum"]]), ({"tags": 3}, [[], ["LOC Troja"]])],
)
def test_the_source_lines_of_germeval_are_comments(tmp_path, columns, found):
    words = [["in", "Kiel"], ["Troja", "Traum"]]
    assert read(tmp_path, GERMEVAL, "test.tsv", columns=columns) == (words, found)


@pytest.mark.parametrize("first", ["#\thttp://example.org/a\n", "#\tText 5 of 7\n"])
def test_a_source_line_needs_no_word_numbers_to_be_a_comment(tmp_path, first):
    assert read(tmp_path, first + lines()) == (WORDS, FOUND)


def test_a_hash_with_a_tag_is_a_word(tmp_path):
    words, found = read(tmp_path, "#\tO\n#\tB-TAG\nx\tO\n\n#\tO\n")
    assert (words, found) == ([["#", "#", "x"], ["#"]], [["TAG #"], []])


# --- spellings of tags ----------------------------------------------------------------------------


def spelled(write, outside="O"):
    return [[outside if t == "O" else write(*t.split("-")) for t in tags] for tags in TAGS]


@pytest.mark.parametrize("separator", list("-_:./"))
@pytest.mark.parametrize("order", ["{0}{2}{1}", "{1}{2}{0}"])
def test_tags_are_read_however_letter_and_type_are_joined(tmp_path, separator, order):
    tags = spelled(lambda letter, kind: order.format(letter, kind, separator))
    assert read(tmp_path, lines(tags=tags)) == (WORDS, FOUND)


@pytest.mark.parametrize("order", ["{0}-{1}", "{0}_{1}", "{1}-{0}"])
def test_lower_case_letters_are_read_where_the_recipe_says_so(tmp_path, order):
    tags = spelled(lambda letter, kind: order.format(letter.lower(), kind), "o")
    assert "data.fold_case=true" in refusal(tmp_path, lines(tags=tags))
    assert read(tmp_path, lines(tags=tags), fold_case=True) == (WORDS, FOUND)


@pytest.mark.parametrize(
    ("options", "name"),
    [({}, "ENTITY"), ({"entity_type": "Disease"}, "Disease"), ({"types": ("Gene",)}, "Gene")],
)
def test_tags_without_types_are_of_one_type_that_the_recipe_may_name(tmp_path, options, name):
    tags = spelled(lambda letter, kind: letter)
    splits = load(tmp_path, lines(tags=tags), "test.tsv", **options)
    assert splits.labels == (name,)
    assert sum(len(spans(tags)) for tags in splits["test"]["tags"]) == 3


def test_tags_without_types_have_schemes_too(tmp_path):
    text = "a\tB\nb\tM\nc\tE\nd\tS\ne\tO\n"
    assert read(tmp_path, text) == ([list("abcde")], [["ENTITY a b c", "ENTITY d"]])


def test_names_of_numbered_tags_may_be_spelled_otherwise(tmp_path):
    rows = [{"tokens": words, "tags": [0, 1][: len(words)]} for words in (["no", "Kiel"], ["no"])]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    splits = load(tmp_path, text, "test.jsonl", label_names=("O", "B_LOC", "I_LOC"))
    assert splits.labels == ("LOC",)
    assert list(splits["test"]["tags"]) == [["O", "B-LOC"], ["O"]]


# --- what is refused, and where its hints lead ----------------------------------------------------

BARE = [[tag[2:] or "O" for tag in tags] for tags in TAGS]
POS = [["NNP", "NNP", "VBD", "NNP"], ["UH", "NNP"]]
UNDER = spelled("{0}_{1}".format)
BIO = spelled(lambda letter, kind: letter)


def test_the_scheme_io_is_offered_for_bare_types_and_reads_them(tmp_path):
    assert "data.scheme=io" in refusal(tmp_path, lines(tags=BARE))
    assert read(tmp_path, lines(tags=BARE), scheme="io") == (WORDS, FOUND)


@pytest.mark.parametrize("row", ["{word} {tag}", "{tag} {word}"])
def test_the_scheme_io_is_not_offered_for_what_cannot_be_types(tmp_path, row):
    text = lines(row, tags=POS if row == "{word} {tag}" else TAGS)
    options = {} if row == "{word} {tag}" else {"columns": {"tokens": 0}}
    message = refusal(tmp_path, text, **options)
    assert "data.scheme=io" not in message
    assert "data.columns.tags=NUMBER" in message


@pytest.mark.parametrize("tags", [BIO, UNDER, TAGS, spelled("{1}-{0}".format)])
def test_letters_of_places_never_become_types_in_the_scheme_io(tmp_path, tags):
    assert "data.scheme=auto" in refusal(tmp_path, lines(tags=tags), scheme="io")
    _, found = read(tmp_path, lines(tags=tags), scheme="auto")
    assert [len(entities) for entities in found] == [2, 1]


@pytest.mark.parametrize("tags", [POS, WORDS])
def test_parts_of_speech_and_words_do_not_become_types_in_the_scheme_io(tmp_path, tags):
    message = refusal(tmp_path, lines(tags=tags), scheme="io")
    assert "no word is tagged O" in message
    assert "task.types" in message
    text = lines("{word} {tag} x1", tags=TAGS)
    assert read(tmp_path, text, columns={"tags": 1}) == (WORDS, FOUND)


def test_types_that_are_declared_may_stand_on_every_word(tmp_path):
    text = "Kiel\tLOC\nMara\tPER\n"
    _, found = read(tmp_path, text, scheme="io", types=("LOC", "PER"))
    assert found == [["LOC Kiel", "PER Mara"]]


@pytest.mark.parametrize(
    "tag", ["I-ORG|B-LOC", "B-LOC#O", "B-PER+B-LOC", "B_PER,O", "PER-B|LOC-B", "b-per|o", "B/I"]
)
def test_several_tags_of_a_word_are_refused_with_ways_out(tmp_path, monkeypatch, tag):
    tags = [[*TAGS[0][:3], tag], TAGS[1]]
    message = refusal(tmp_path, lines("{word} {tag}", tags=tags))
    assert f"word 4 ('Kiel'): tag {tag!r} holds 2 tags" in message
    assert "data.columns.tags=NUMBER" in message
    assert "data.source=module:function" in message
    both = lines("{word} {tag} B-LOC", tags=tags)
    assert read(tmp_path, both, columns={"tags": 2})[1][1] == ["LOC no", "LOC Tom"]
    row = {"tokens": WORDS[0], "tags": TAGS[0]}
    (tmp_path / "layers_of_mine.py").write_text(f"def load():\n    return {{'test': [{row!r}]}}\n")
    monkeypatch.syspath_prepend(tmp_path)
    splits = load_ner(DataSection(source="layers_of_mine:load"))
    assert list(splits["test"]["tags"]) == TAGS[:1]


@pytest.mark.parametrize("kind", ["R&D", "A/B", "work of art", "B-cell", "a|b"])
def test_types_may_hold_what_separates_tags(tmp_path, kind):
    rows = [{"tokens": ["x", "y"], "tags": [f"B-{kind}", "O"]}, {"tokens": ["z"], "tags": ["O"]}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert load(tmp_path, text, "test.jsonl").labels == (kind,)


@pytest.mark.parametrize("letter", ["M", "W"])
def test_letters_of_other_schemes_are_refused_among_those_of_iob(tmp_path, letter):
    tags = [[*TAGS[0][:3], f"{letter}-LOC"], TAGS[1]]
    assert f"{letter}-LOC" in refusal(tmp_path, lines(tags=tags))


def test_a_stray_tag_is_shown_beside_one_of_the_others(tmp_path):
    message = refusal(tmp_path, lines(tags=[[*UNDER[0][:3], "LOC"], UNDER[1]]))
    assert "tag 'LOC' is not spelled like the others, 'B_PER' for one" in message
    assert "data.scheme=io" not in message


def test_a_scheme_that_the_tags_are_not_of_is_told_from_them_by_auto(tmp_path):
    text = "Mara\tB-PER\nLund\tE-PER\nKiel\tS-LOC\nno\tO\n"
    assert "data.scheme=auto" in refusal(tmp_path, text, scheme="iob2")
    assert read(tmp_path, text)[1] == [["PER Mara Lund", "LOC Kiel"]]


# --- tables with one word a row -------------------------------------------------------------------


def table(first="S1", again="S1", *, header="Sentence #,Word,POS,Tag", separator=",") -> str:
    rows = [
        f"{name},{word},X,{tag}"
        for names, words, tags in zip(
            ([first, again, again, again], ["S2", "S2" if again else ""]), WORDS, TAGS, strict=True
        )
        for name, word, tag in zip(names, words, tags, strict=True)
    ]
    return "\n".join([header, *rows, ""]).replace(",", separator)


@pytest.mark.parametrize("again", ["S1", ""])
@pytest.mark.parametrize(
    "name",
    ["Sentence #", "sentence_id", "sentence_idx", "sent_id", "Sentence_Number", "SentenceID",
     "sentence"],
)  # fmt: skip
def test_one_word_a_row_is_grouped_by_sentence(tmp_path, name, again):
    text = table(again=again, header=f"{name},Word,POS,Tag")
    assert read(tmp_path, text, "test.csv") == (WORDS, FOUND)
    assert read(tmp_path, text.replace(",", "\t"), "test.tsv") == (WORDS, FOUND)


def test_json_lines_of_one_word_each_are_grouped(tmp_path):
    header, *rows = (line.split(",") for line in table(header="sent_id,token,pos,ner").split())
    text = "".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows)
    assert read(tmp_path, text, "test.jsonl") == (WORDS, FOUND)


def test_a_word_of_a_row_may_hold_blanks(tmp_path):
    text = "sentence_id,word,tag\n1,New York,B-LOC\n1,no,O\n2,no,O\n"
    assert read(tmp_path, text, "test.csv") == (
        [["New York", "no"], ["no"]],
        [["LOC New York"], []],
    )


def test_an_empty_row_ends_a_sentence(tmp_path):
    text = "sentence_id,word,tag\nS1,Mara,B-PER\nS1,,\nS1,no,O\nS1,Tom,B-PER\n"
    assert read(tmp_path, text, "test.csv")[0] == [["Mara"], ["no", "Tom"]]


def test_without_sentences_one_word_a_row_is_refused_until_their_column_is_named(tmp_path):
    text = table(header="part,Word,POS,Tag")
    message = refusal(tmp_path, text, "test.csv")
    assert "one word a row (column 'Word')" in message
    assert "data.columns.sentence=COLUMN" in message
    assert read(tmp_path, text, "test.csv", columns={"sentence": "part"}) == (WORDS, FOUND)


def test_columns_that_are_named_are_grouped_too(tmp_path):
    text = table(header="s,w,p,t")
    columns = {"tokens": "w", "tags": "t"}
    assert "data.columns.tokens=COLUMN" in refusal(tmp_path, text, "test.csv")
    assert "data.columns.sentence=COLUMN" in refusal(tmp_path, text, "test.csv", columns=columns)
    columns["sentence"] = "s"
    assert read(tmp_path, text, "test.csv", columns=columns) == (WORDS, FOUND)


def test_a_table_without_header_is_grouped_by_the_numbers_of_its_columns(tmp_path):
    text = table().partition("\n")[2]
    assert "data.header=false" in refusal(tmp_path, text, "test.csv")
    columns = {"tokens": 1, "tags": 3}
    message = refusal(tmp_path, text, "test.csv", header=False, columns=columns)
    assert "data.columns.sentence=COLUMN" in message
    columns["sentence"] = 0
    assert read(tmp_path, text, "test.csv", header=False, columns=columns) == (WORDS, FOUND)


def test_commas_and_empty_lines_are_read_as_conll_as_the_message_says(tmp_path):
    text = lines().replace("\t", ",")
    columns = {"tokens": 0, "tags": 1}
    message = refusal(tmp_path, text, "test.csv", header=False, columns=columns)
    assert "data.format=conll" in message
    assert read(tmp_path, text, "test.csv", format="conll", separator=",") == (WORDS, FOUND)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("sent_id,word,tag\n1,a,O\n2,b,O\n3,c,O\n", "every row has a 'sent_id' of its own"),
        ("sent_id,word,tag\n,a,O\n2,b,O\n2,c,O\n", "the first word has no sentence"),
    ],
)
def test_a_column_that_does_not_tell_sentences_apart_is_refused(tmp_path, text, part):
    message = refusal(tmp_path, text, "test.csv")
    assert part in message
    assert "data.columns.sentence=" in message


def test_a_missing_sentence_column_is_named(tmp_path):
    message = refusal(tmp_path, table(), "test.csv", columns={"sentence": "Satz"})
    assert "no column 'Satz'" in message
    assert "Sentence #" in message


def to_predict(tmp_path, text, name="test.csv", **columns):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return [row.values for row in read_inputs(DataSection(source=str(path), columns=columns))]


@pytest.mark.parametrize("row", ["{tag} {word}", "{number} {word} {tag}", "{word} {tag}"])
@pytest.mark.parametrize("name", ["test.conll", "test.tsv", "test.txt"])
def test_words_to_be_predicted_are_found_where_they_are(tmp_path, row, name):
    assert [row["tokens"] for row in to_predict(tmp_path, lines(row), name)] == WORDS


def test_words_to_be_predicted_are_grouped_too_and_keep_their_other_fields(tmp_path):
    rows = to_predict(tmp_path, table(again=""))
    assert [row["tokens"] for row in rows] == WORDS
    assert rows[0]["Sentence #"] == "S1"
    assert rows[0]["Tag"] == TAGS[0]
    assert rows[0]["POS"] == "X"
    text = "part,w\n1,Mara\n1,Lund\n2,Tom\n"
    named = to_predict(tmp_path, text, tokens="w", sentence="part")
    assert [row["w"] for row in named] == [["Mara", "Lund"], ["Tom"]]


def test_json_lines_to_be_predicted_may_differ_in_their_fields(tmp_path):
    rows = [{"tokens": ["no"], "tags": ["O"]}, {"tokens": ["Tom"]}, {"word": "Tom"}, {"id": 1}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    assert to_predict(tmp_path, text, "test.jsonl") == rows
    assert to_predict(tmp_path, text.replace('["no"]', '"no"'), "test.jsonl")[1:] == rows[1:]


def test_words_to_be_predicted_are_texts_of_their_own_where_nothing_says_otherwise(tmp_path):
    assert to_predict(tmp_path, "word\nMara\nTom\n") == [{"word": "Mara"}, {"word": "Tom"}]
    scored = [{"word": "good", "label": "positive"}, {"word": "bad", "label": "negative"}]
    assert to_predict(tmp_path, "word,label\ngood,positive\nbad,negative\n") == scored
    rows = [{"word": "bank", "sentence": "By the bank."}, {"word": "bass", "sentence": "A bass."}]
    text = "word,sentence\n" + "".join(",".join(row.values()) + "\n" for row in rows)
    assert to_predict(tmp_path, text) == rows
    with pytest.raises(UserError, match=r"data\.columns\.sentence=COLUMN"):
        to_predict(tmp_path, "word,tag\nMara,B-PER\nTom,O\n")


def test_tables_of_whole_sentences_stay_as_they_are(tmp_path):
    text = "tokens,tags\nMara Lund,B-PER I-PER\nno,O\n"
    assert read(tmp_path, text, "test.csv") == ([["Mara", "Lund"], ["no"]], [["PER Mara Lund"], []])


@pytest.mark.parametrize("letters", ["BIEU", "BILS"])
def test_bioes_and_bilou_may_be_mixed(tmp_path, letters):
    begin, _, end, alone = letters
    tags = [[f"{begin}-PER", f"{end}-PER", "O", f"{alone}-LOC"], ["O", f"{alone}-PER"]]
    assert read(tmp_path, lines(tags=tags)) == (WORDS, FOUND)


@pytest.mark.parametrize("outside", ["B-O", "I-O", "S-O"])
def test_outside_spelled_like_a_type_is_no_type(tmp_path, outside):
    tags = [[tag.replace("O", outside, 1) if tag == "O" else tag for tag in own] for own in TAGS]
    message = refusal(tmp_path, lines(tags=tags))
    assert f"'{outside}' is of the type 'O'" in message
    assert "write O" in message
