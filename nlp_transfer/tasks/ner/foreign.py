"""The labels of a NER model that was trained elsewhere in, a task that answers in IOB2 out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from nlp_transfer.data.scheme import UNNAMED
from nlp_transfer.data.spelling import Spelled, told
from nlp_transfer.data.tags import PARTS, Scheme, split_tag, to_iob2
from nlp_transfer.errors import UserError, shortened
from nlp_transfer.tasks.ner.decoding import NerDecoder
from nlp_transfer.tasks.ner.head import NerHead
from nlp_transfer.tasks.ner.span_scores import Steps, steps_of
from nlp_transfer.tasks.ner.task import NerTask

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMES: tuple[str, ...] = get_args(Scheme)
_NEVER = ""
"""Stands for outputs that are for no word: [CLS], [SEP], [PAD], X for further pieces."""
_FOR_NO_WORD = re.compile(r"\[.*\]|<.*>")
_PLACE = re.compile(r"(BEGIN(?:NING)?|BEG|INSIDE|INTERMEDIATE|IN|B|I)(.*)", re.IGNORECASE)
_FOR_NO_WORD_EITHER = re.compile(r"X|PAD|CLS|SEP")


class ForeignNerTask(NerTask):
    """Find entities with a model that was trained elsewhere, in the tag scheme of its labels."""

    scheme: Scheme
    tags: dict[str, str]
    """What each label is as we write it, in the same scheme; empty for one that no word has."""

    @property
    def tag_scheme(self) -> str:
        """The scheme of the labels."""
        return self.scheme

    @property
    def head(self) -> ForeignNerHead:
        """One output a label of the model's own."""
        return ForeignNerHead(self.tags)

    @property
    def decoder(self) -> ForeignNerDecoder:
        """Labels that the scheme allows, read as IOB2."""
        return ForeignNerDecoder(self.decoding, self.scheme, self.tags)


@dataclass(frozen=True)
class ForeignNerHead(NerHead):
    """One output a label, whose types are told from `tags`."""

    tags: Mapping[str, str]

    def class_of(self, label: str) -> str:
        """Return the type of a label, and O."""
        return split_tag(self.tags.get(label) or "O")[1] or "O"

    def advice_on_labels(self, wanted: Sequence[str]) -> str:
        """Say how labels without a type get one."""
        if UNNAMED not in map(self.class_of, self.tags):
            return ""
        return (
            f" The labels of MODEL ({', '.join(self.tags)}) name no type: write it into them under "
            f"id2label in config.json, as B-{wanted[0]}."
        )


@dataclass(frozen=True)
class ForeignNerDecoder(NerDecoder):
    """Chooses labels that a scheme allows."""

    scheme: Scheme
    tags: Mapping[str, str]

    def best_path(
        self, log_probabilities: NDArray[np.floating[Any]], labels: Sequence[str]
    ) -> NDArray[np.int64]:
        """Choose the output of each word; one that is best as part of an entity stays in one.

        log_probabilities: (words, labels)
        returns:           (words,) label ids
        """
        import numpy as np

        from nlp_transfer.tasks.ner.viterbi import best_tags, is_legal

        tags = tuple(self.tags[label] for label in labels)
        steps = _steps(tags, self.scheme)
        scores = np.where(steps.never, -np.inf, log_probabilities).astype(np.float32)
        greedy: NDArray[np.int64] = scores.argmax(axis=1)
        if self.way == "greedy" or is_legal(greedy, steps.inside, steps.closed):
            return greedy
        scores[np.ix_(~steps.outside[greedy], steps.outside)] = -np.inf
        path = best_tags(scores, steps.inside, steps.closed)
        # Where labels are missing (no S-), there may be no legal way.
        is_way = np.isfinite(scores[np.arange(len(path)), path]).all()
        return path if is_way and is_legal(path, steps.inside, steps.closed) else greedy

    def steps(self, labels: tuple[str, ...], path: NDArray[np.int64]) -> Steps:
        """Tell which labels the scheme lets follow which; all, where the path does not keep to it.

        path: (words,) label ids
        """
        from nlp_transfer.tasks.ner.viterbi import is_legal

        tags = tuple(self.tags[label] for label in labels)
        steps = _steps(tags, self.scheme)
        is_way = self.way == "viterbi" and is_legal(path, steps.inside, steps.closed)
        return _probable_steps(tags, self.scheme, legal=is_way)

    def as_iob2(self, tags: Sequence[str]) -> tuple[str, ...]:
        """Read the labels chosen for a sentence as valid IOB2."""
        return tuple(to_iob2([self.tags[tag] for tag in tags], self.scheme)[0])


def foreign_task(labels: Sequence[str], scheme: str | None, where: str) -> ForeignNerTask:
    """Tell the scheme of a model from its labels, as far as nobody says it.

    scheme: as the user or the model's settings say it; None: told from the labels
    where:  the model, for error messages
    raises: UserError that names the labels where their scheme cannot be told, or is another
    """
    if scheme is not None and scheme not in SCHEMES:
        raise UserError(f"{where}: the scheme {scheme!r} is unknown ({', '.join(SCHEMES)}).")
    names = _for_words(labels)
    read = _read(names, scheme)
    if read is None:
        raise _unread(labels, scheme, where)
    found, tags = read
    tags = {label: tags.get(label, _NEVER) for label in labels}
    return ForeignNerTask(scheme=found, tags=tags)


def _for_words(labels: Sequence[str]) -> list[str]:
    """List the labels that words have."""
    names = [name for name in labels if not _FOR_NO_WORD.fullmatch(name)]
    if told(names) is None:
        return names  # beside bare types X may be one
    return [name for name in names if not _FOR_NO_WORD_EITHER.fullmatch(name)]


def _read(names: Sequence[str], scheme: str | None) -> tuple[Scheme, dict[str, str]] | None:
    """Tell the scheme of labels, and write each as we do; None where it cannot be told."""
    inside = [name for name in names if name not in ("O", "o")]
    spelled = told(names)
    if scheme is None and (spelled is None or spelled.others) and _have_places(inside):
        return None
    if spelled is None or _are_bare(spelled, inside):
        # Without an O they may be parts of speech.
        if scheme == "io" or (scheme is None and spelled is None and len(inside) < len(names)):
            return "io", {name: f"I-{name}" if name in inside else "O" for name in names}
        return None
    if not set(inside).isdisjoint(spelled.others):
        return None
    tags = {name: spelled.canonical(name, UNNAMED) if name in inside else "O" for name in names}
    letters = {split_tag(tags[name])[0] for name in inside}
    # B and I may be IOB1 or IOB2. Read as IOB1, where I- may begin an entity, both are right.
    wanted: tuple[Scheme, ...] = ("iob1", "bioes", "bilou")
    possible = [name for name in SCHEMES if letters <= PARTS[name].keys()]
    found = next((name for name in wanted if name in possible), None)
    if scheme is not None:
        found = next((name for name in get_args(Scheme) if name == scheme in possible), None)
    return (found, tags) if found else None


def _have_places(labels: Sequence[str]) -> bool:
    """Tell BEGIN-PER and INSIDE-PER, BPER and IPER from types: places, spelled as nobody does."""
    found = [_PLACE.fullmatch(label) for label in labels]
    kinds = [(match[1][0].upper(), match[2]) for match in found if match]
    begun = {kind for letter, kind in kinds if letter == "B"}
    return any(letter == "I" and kind in begun for letter, kind in kinds)


def _are_bare(spelled: Spelled, inside: Sequence[str]) -> bool:
    """Tell PER and E-mail, which only happens to look like the end of a "mail"."""
    return not {"B", "I"} & spelled.letters and not set(inside).isdisjoint(spelled.others)


def _unread(labels: Sequence[str], scheme: str | None, where: str) -> UserError:
    shown = shortened(labels, 30)
    if scheme is not None:
        return UserError(
            f"{where}: the labels are not of the scheme {scheme}: {shown}. Leave out the scheme, "
            "which is then told from them."
        )
    may_be_bare = told(labels) is None
    hint = "If all of them are entity types, which no part of speech is: --scheme io. Else rename"
    return UserError(
        f"{where}: the tag scheme of the labels cannot be told: {shown}. It can where all but O "
        "are spelled alike, like B-PER and I-PER (with E- and S-, or L- and U-), or are bare types "
        f"beside O. {hint if may_be_bare else 'Rename'} them under id2label in config.json."
    )


class _Steps(NamedTuple):
    """Which outputs may follow which."""

    inside: Mapping[int, Sequence[int]]
    closed: NDArray[np.int64] | None
    never: NDArray[np.bool_]
    outside: NDArray[np.bool_]


@lru_cache(maxsize=32)
def _steps(tags: tuple[str, ...], scheme: Scheme) -> _Steps:
    """Tell what a scheme allows, as far as its labels are there: see `best_tags`."""
    import numpy as np

    parts = [split_tag(tag) if tag else ("", "") for tag in tags]
    never = np.array([not letter for letter, _ in parts])
    outside = np.array([letter == "O" for letter, _ in parts])
    if scheme in ("iob1", "io"):
        return _Steps({}, None, never, outside)
    end = {"bioes": "E", "bilou": "L"}.get(scheme)
    begun: dict[str, list[int]] = {}
    for index, (letter, kind) in enumerate(parts):
        if letter in ("B", "I"):
            begun.setdefault(kind, []).append(index)
    inside = {
        index: begun[kind]
        for index, (letter, kind) in enumerate(parts)
        if letter in ("I", end) and ("B", kind) in parts
    }
    closed = [
        index
        for index, (letter, kind) in enumerate(parts)
        if letter not in ("B", "I") or not {("B", kind), (end, kind)} <= {*parts}
    ]
    return _Steps(inside, np.array(closed, np.int64) if end else None, never, outside)


@lru_cache(maxsize=32)
def _probable_steps(tags: tuple[str, ...], scheme: Scheme, *, legal: bool) -> Steps:
    steps = _steps(tags, scheme)
    inside, closed = (steps.inside, steps.closed) if legal else ({}, None)
    return steps_of(tags, inside, closed, steps.never)
