"""Keys of a recipe's data section in; a clear error out for one that its source does not use."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

from nlp_transfer.data.formats.base import SPAN_KEYS, TAG_KEYS, Format
from nlp_transfer.data.raw import RawSplit
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection
from nlp_transfer.recipe.data_section import say_lapsed

OF_TASKS = TAG_KEYS | SPAN_KEYS | {"words", "label_separator", "slices"}
"""Keys about words, labels and columns: a task names those that it uses."""
OF_ALL = frozenset(
    {
        "source",
        "splits",
        "columns",
        "label_names",
        "validation_share",
        "test_share",
        "split_seed",
        "train_examples",
        "unlabelled",
    }
) | {"words", "label_separator"}
"""Keys that every source uses."""

OF_DATA = frozenset(DataSection.model_fields)

_TAGS = "It is about the tags of words"
_SPANS = "It is about character spans"
_PURPOSE: Mapping[str, str] = {
    "config": "It chooses a part of a data set of the Hub",
    "revision": "It is a version of a data set of the Hub",
    "streaming": "It is for data sets of the Hub; everything else is read as it comes",
    "format": "It is for files",
    "separator": "It is for CSV, TSV and CoNLL files",
    "header": "It is for CSV and TSV files",
    "quoted": "It is for CSV and TSV files; elsewhere a quote is a character like any other",
    "encoding": "It is for text files; this data says itself how its text is encoded",
    "encoding_errors": "It is for text files; this data says itself how its text is encoded",
    "drop_missing": "It is about rows that may lack a text or a label; these cannot",
    **dict.fromkeys(TAG_KEYS, _TAGS),
    **dict.fromkeys(SPAN_KEYS, _SPANS),
    "words": "It splits raw text into words, which this task does not read",
    "slices": "It names columns to sort a report by, which are not kept here",
    "label_separator": "It cuts a field into several labels: task.multi_label=true",
    "validation_share": "The data has a validation split",
    "test_share": "The data has a test split",
    "split_seed": "The data has all its splits",
}
_FIT = "spans that do not fit words are for data.misaligned"
_SPLIT_OFF = "null in data.splits splits one off from train"
_COLUMNS = "data.columns names columns, or numbers them"
_NEAREST: Mapping[str, Mapping[str, str]] = {
    "config": {"splits": "data.splits chooses files, or splits"},
    "revision": {"source": "data.source names the files of a version"},
    "format": {"columns": _COLUMNS},
    "separator": {"columns": _COLUMNS, "label_separator": "data.label_separator cuts labels"},
    "header": {"columns": _COLUMNS},
    **{key: {"misaligned": _FIT} for key in TAG_KEYS},
    **{key: {"repair": "broken tags are read with data.repair"} for key in SPAN_KEYS},
    **{key: {"splits": _SPLIT_OFF} for key in ("validation_share", "test_share", "split_seed")},
}
"""Keys that do what was meant, where they are used."""


def check_keys(
    data: DataSection,
    keys: frozenset[str],
    what: str,
    *,
    uses: Collection[str],
    found: Collection[str] = (),
) -> None:
    """Refuse what a recipe says of its data and nothing reads.

    keys:   that the source and its formats use
    what:   the source, for people
    uses:   of OF_TASKS, what the task uses
    found:  the splits that the source has, where they are known
    raises: UserError that names every such key, and what to do instead
    """
    used = (OF_ALL | keys) - (OF_TASKS - set(uses))
    refuse_unused(data, OF_DATA - used, what, used)
    refuse_unused(data, _shares(found), what, used)


def refuse_unused(
    data: DataSection, unused: Collection[str], what: str, used: Collection[str]
) -> None:
    """Refuse keys that are not at their defaults.

    What a recipe says of its own data lapses where the command line names other data.
    what: the data that does not use them, for people
    used: keys that it uses
    """
    said = [key for key in data.said() if key in unused]
    say_lapsed([key for key in said if key in data.lapsing], f"not used for {what}")
    faults = [
        f"data.{key}: not used for {what}. {_instead(key, used)}."
        for key in said
        if key not in data.lapsing
    ]
    if faults:
        known = ", ".join(sorted(used))
        raise UserError("\n".join([*faults, f"Used there: {known}."]))


def _instead(key: str, used: Collection[str]) -> str:
    """Say what a key is for, and the nearest that does it here."""
    nearest = [text for other, text in _NEAREST.get(key, {}).items() if other in used]
    return "; ".join([_PURPOSE[key], *(nearest or ["leave it out"])])


def _shares(splits: Collection[str]) -> set[str]:
    """List the keys of splitting off that have nothing to do."""
    if "train" not in splits:
        return set()
    there = [split for split in ("validation", "test") if split in splits]
    return {f"{split}_share" for split in there} | ({"split_seed"} if len(there) == 2 else set())


def fitted(data: DataSection, splits: Sequence[RawSplit]) -> tuple[DataSection, Sequence[RawSplit]]:
    """Leave out columns that a recipe names of its own data, and that other data does not have."""
    named = [role for role in data.columns if f"columns.{role}" in data.lapsing]
    rows = splits[0].read() if named and splits else iter(())
    if (first := next(rows, None)) is None:
        return data, splits
    lapsed = {role for role in named if str(data.columns[role]) not in first.values}
    say_lapsed([f"columns.{role}" for role in named if role in lapsed], f"not in {splits[0].place}")
    kept = {role: column for role, column in data.columns.items() if role not in lapsed}
    begun = replace(splits[0], read=partial(chain, [first], rows))
    return data.model_copy(update={"columns": kept}), [begun, *splits[1:]]


def with_numbers(data: DataSection, found: Format) -> DataSection:
    """Leave out names of columns that were meant for other data, where columns have numbers."""
    if not found.has_numbered_columns:
        return data
    names = [
        role
        for role, column in data.columns.items()
        if isinstance(column, str) and f"columns.{role}" in data.lapsing
    ]
    kept = {role: column for role, column in data.columns.items() if role not in names}
    return data.model_copy(update={"columns": kept}) if names else data
