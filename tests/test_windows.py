"""Windows: every word is read, and answered for exactly once."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from nlp_transfer.data.tags import to_iob2
from nlp_transfer.data.words import split_words
from nlp_transfer.models.windows import WordPieces, cut_windows
from nlp_transfer.recipe import ModelSection
from nlp_transfer.tasks.ner.task import NerTask
from nlp_transfer.tasks.objective import IGNORED

CORPUS = ["the cat sat on the mat", "Ada Lovelace wrote to Charles Babbage", "naïve tokenizers cut"]


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Train a BERT-like WordPiece tokenizer, whose longest pieces are short."""
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=50))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=70, special_tokens=special)
    backend.train_from_iterator(CORPUS, trainer)
    cls, sep = backend.token_to_id("[CLS]"), backend.token_to_id("[SEP]")
    backend.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]",
    )  # fmt: skip


TOKENIZER = build_tokenizer()
PIECES = WordPieces(TOKENIZER)
DROPPED = ("\ufe0f", "\u200b", "\u200d\ufe0f")  # the normalizer removes these
words = st.one_of(
    st.sampled_from([*" ".join(CORPUS).split(), *DROPPED, "mat.", "[SEP]", "日本", "a" * 60]),
    st.text("abcdehtz", min_size=1, max_size=20),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5),
)
sentences = st.lists(words, max_size=40)
sizes = st.integers(8, 30)


def pieces_of(sentence):
    known = PIECES.learn(sentence)
    return [known[word] for word in sentence]


def windows_of(sentence, **options):
    return list(cut_windows(pieces_of(sentence), PIECES, **options))


def bare(window):
    """Return the pieces of a window without the special ones around them."""
    assert window.input_ids[0] == TOKENIZER.cls_token_id
    assert window.input_ids[-1] == TOKENIZER.sep_token_id
    return window.input_ids[1:-1]


@given(sentence=sentences, max_pieces=sizes, overlap=st.integers(0, 40))
@settings(deadline=None, max_examples=50)
def test_every_word_is_owned_by_exactly_one_window_in_order(sentence, max_pieces, overlap):
    windows = windows_of(sentence, max_pieces=max_pieces, overlap=overlap)
    owned = [
        number
        for window in windows
        for number in range(window.first_word, window.first_word + len(window.positions))
    ]
    assert owned == list(range(len(sentence)))
    assert all(window.positions for window in windows)


@given(sentence=sentences, max_pieces=sizes, overlap=st.integers(0, 40), context=sentences)
@settings(deadline=None, max_examples=50)
def test_no_window_is_longer_than_the_model_reads(sentence, max_pieces, overlap, context):
    around = pieces_of(context)
    for window in windows_of(
        sentence, max_pieces=max_pieces, overlap=overlap, left=around, right=around
    ):
        assert len(window.input_ids) <= max_pieces
        bare(window)


@given(sentence=sentences, max_pieces=sizes, overlap=st.integers(0, 40), context=sentences)
@settings(deadline=None, max_examples=50)
def test_an_owned_word_is_read_where_its_position_says(sentence, max_pieces, overlap, context):
    around = pieces_of(context)
    pieces = pieces_of(sentence)
    for window in windows_of(
        sentence, max_pieces=max_pieces, overlap=overlap, left=around, right=around
    ):
        for index, position in enumerate(window.positions):
            ids = list(pieces[window.first_word + index].ids[: max_pieces - 2])
            assert window.input_ids[position : position + len(ids)] == ids


@given(sentence=sentences)
@example(sentence=["mat", "\ufe0f", "naïve"])
@settings(deadline=None, max_examples=50)
def test_words_have_the_pieces_of_the_tokenizers_own_call_on_the_sentence(sentence):
    encoding = TOKENIZER(sentence, is_split_into_words=True, add_special_tokens=False)
    theirs: list[list[int]] = [[] for _ in sentence]
    for piece, word in zip(encoding["input_ids"], encoding.word_ids(), strict=True):
        theirs[word].append(piece)
    for piece, ids in zip(pieces_of(sentence), theirs, strict=True):
        assert piece.missing == (not ids)
        assert list(piece.ids) == (ids or [TOKENIZER.unk_token_id])


tagged = st.lists(st.tuples(words, st.sampled_from(["O", "B-X", "I-X", "B-Y", "B-Z"])), min_size=1)
LABELS = {"O": 0, "B-X": 1, "I-X": 2, "B-Y": 3, "I-Y": 4}


@given(sentence=tagged, max_pieces=sizes)
@example(sentence=[("lovelace", "B-Y"), ("mat.", "B-Z"), ("\ufe0f", "I-X")], max_pieces=30)
@settings(deadline=None, max_examples=50)
def test_every_piece_of_a_labelled_word_may_carry_its_label(sentence, max_pieces):
    tags, _ = to_iob2([tag for _, tag in sentence], "iob2")
    row = {"words": [word for word, _ in sentence], "tags": tags}
    task = NerTask(label_pieces="all").windows
    options = ModelSection(checkpoint="tiny", max_pieces=max_pieces, overlap=3)
    ((windows, _),) = task.encode([row], TOKENIZER, LABELS, options)
    found = [of for of in task.collate(windows, 0)["labels"].flatten().tolist() if of != IGNORED]
    inside = {0: 0, 1: 2, 2: 2, 3: 4}
    wanted = []
    for piece, tag in zip(pieces_of(row["words"]), tags, strict=True):
        if tag in LABELS:
            further = len(piece.ids[: max_pieces - 2]) - 1
            wanted += [LABELS[tag], *[inside[LABELS[tag]]] * further]
    assert found == wanted
    hidden = [{**window, "labels": [IGNORED] * len(window["labels"])} for window in windows]
    assert set(task.collate(hidden, 0)["labels"].flatten().tolist()) == {IGNORED}


def test_words_that_never_end_are_not_all_remembered():
    pieces, held = WordPieces(TOKENIZER), []
    tracemalloc.start()
    try:
        for first in range(0, 24_000, 100):
            sentence = [f"{number:090}" for number in range(first, first + 100)]
            assert pieces.learn(sentence).keys() >= set(sentence)
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert max(held[120:]) < 1.2 * max(held[:120]), "megabytes after 12,000 and after 24,000 words"


@pytest.mark.parametrize("word", DROPPED)
def test_a_word_without_pieces_gets_the_unknown_token_and_is_counted(word):
    sentence = ["cat", word, "mat"]
    pieces = pieces_of(sentence)
    assert [piece.missing for piece in pieces] == [False, True, False]
    (window,) = windows_of(sentence, max_pieces=30, overlap=4)
    assert len(window.positions) == 3
    assert window.input_ids[window.positions[1]] == TOKENIZER.unk_token_id


def test_a_word_longer_than_the_window_is_cut_and_counted():
    sentence = ["the", "zzzzzzzzzzzzzzzzzzzz".replace("z", "b"), "cat"]
    assert len(pieces_of(sentence)[1].ids) > 6
    windows = windows_of(sentence, max_pieces=8, overlap=2)
    assert sum(window.cut_words for window in windows) == 1
    assert sum(len(window.positions) for window in windows) == 3
    assert all(len(window.input_ids) <= 8 for window in windows)


def test_a_short_sentence_is_one_window_as_the_tokenizer_makes_it():
    sentence = ["Ada", "Lovelace", "wrote"]
    (window,) = windows_of(sentence, max_pieces=60, overlap=8)
    assert window.input_ids == TOKENIZER(sentence, is_split_into_words=True)["input_ids"]
    assert window.cut_words == 0


def test_a_sentence_that_fits_exactly_is_one_window():
    sentence = ["cat"] * 5
    length = sum(len(piece.ids) for piece in pieces_of(sentence)) + 2
    assert len(windows_of(sentence, max_pieces=max(8, length), overlap=3)) == 1


def test_an_empty_sentence_has_no_window():
    assert windows_of([], max_pieces=10, overlap=2) == []


@given(length=st.integers(1, 60), overlap=st.integers(2, 6))
@settings(deadline=None, max_examples=50)
def test_overlapping_words_are_owned_where_they_have_most_context(length, overlap):
    windows = windows_of(["a"] * length, max_pieces=18, overlap=overlap)
    for before, after in pairwise(windows):
        at_the_end = len(bare(before)) - before.positions[-1]  # words read after the last owned
        at_the_start = after.positions[0] - 1  # words read before the first owned
        assert abs(at_the_end - at_the_start) <= 1
        assert at_the_end + at_the_start >= overlap - 1


@given(sentence=sentences, left=sentences, right=sentences, max_pieces=sizes)
@settings(deadline=None, max_examples=50)
def test_context_never_pushes_the_sentence_out(sentence, left, right, max_pieces):
    plain = windows_of(sentence, max_pieces=max_pieces, overlap=4)
    around = windows_of(
        sentence,
        max_pieces=max_pieces,
        overlap=4,
        left=pieces_of(left),
        right=pieces_of(right),
    )
    assert [(w.first_word, len(w.positions), w.cut_words) for w in around] == [
        (w.first_word, len(w.positions), w.cut_words) for w in plain
    ]
    for alone, window in zip(plain, around, strict=True):
        start = window.positions[0] - alone.positions[0]
        assert bare(window)[start : start + len(bare(alone))] == bare(alone)


def test_context_is_the_nearest_words_on_both_sides():
    left, sentence, right = (text.split() for text in ("x y z", "a b", "c d e"))
    (window,) = windows_of(
        sentence, max_pieces=8, overlap=0, left=pieces_of(left), right=pieces_of(right)
    )
    wanted = [piece.ids[0] for piece in pieces_of(["y", "z", "a", "b", "c", "d"])]
    assert bare(window) == wanted
    assert window.positions == [3, 4]


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
@settings(deadline=None, max_examples=50)
def test_raw_text_is_cut_into_words_that_lose_no_character(text):
    found = split_words(text, "unicode")
    assert "".join(word.text for word in found) == "".join(text.split())
    assert all(text[word.start : word.end] == word.text for word in found)
