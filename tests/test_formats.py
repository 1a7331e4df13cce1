"""A format is one file and one line; files are opened once; a key that nothing uses is refused."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nlp_transfer import load_recipe
from nlp_transfer.data.formats import FORMATS
from nlp_transfer.data.formats.base import TAG_KEYS, TEXT_KEYS, Format, Look, Writer
from nlp_transfer.data.formats.results import Result
from nlp_transfer.data.formats.writing import write_results
from nlp_transfer.data.raw import RawRow
from nlp_transfer.data.sources import open_source
from nlp_transfer.data.text_file import DataFile
from nlp_transfer.errors import UserError
from nlp_transfer.recipe import DataSection

Run = Callable[..., tuple[int, str, str]]

TAGGED = [
    {"tokens": ["Ada", "left"], "tags": ["B-PER", "O"]},
    {"tokens": ["Bob", "came", "home"], "tags": ["B-PER", "O", "O"]},
]
TEXTS = [{"text": "so good", "label": "pos"}, {"text": "so bad", "label": "neg"}]
CONLL = "Ada\tB-PER\nleft\tO\n\nBob\tB-PER\ncame\tO\nhome\tO\n"


# --- a format of one's own ------------------------------------------------------------------------


def _recognises(look: Look) -> bool:
    return look.text.startswith("slashes:")


def _read(file: DataFile, data: DataSection, *, annotated: bool) -> Iterator[RawRow]:
    """Read `word/TAG word/TAG` lines below a first line of "slashes:"."""
    for number, line in enumerate(file.lines(data.encoding, data.encoding_errors), start=1):
        if number > 1:
            pairs = [pair.rpartition("/") for pair in line.split()]
            row = {"tokens": [word for word, _, _ in pairs], "tags": [tag for _, _, tag in pairs]}
            yield RawRow(f"{file.path}:{number}", row)


def _write(results: Iterable[Result], stream: TextIO) -> None:
    stream.write("slashes:\n")
    for result in results:
        pairs = zip(result["tokens"], result["tags"], strict=True)
        stream.write(" ".join(f"{word}/{tag}" for word, tag in pairs) + "\n")


SLASHES = Format(
    name="slashes",
    recognises=_recognises,
    keys=TEXT_KEYS | TAG_KEYS,
    read=_read,
    writer=Writer(needs=(frozenset({"tokens", "tags"}),), to_stream=_write),
)


@pytest.fixture
def slashes() -> Iterator[None]:
    """Add the line that a format is."""
    FORMATS.append(SLASHES)
    yield
    FORMATS.remove(SLASHES)


@pytest.mark.usefixtures("slashes")
def test_a_format_of_one_file_and_one_line_is_recognised_read_and_written(
    nlpt: Run, tmp_path: Path
) -> None:
    path = tmp_path / "train.anything"
    write_results(TAGGED, to="slashes", output=path)
    assert path.read_text() == "slashes:\nAda/B-PER left/O\nBob/B-PER came/O home/O\n"
    for name in ("auto", "slashes"):
        _, (split,) = open_source(DataSection(source=str(path), format=name))
        assert [row.values for row in split.read()] == TAGGED
    code, out, err = nlpt("inspect", path, "--task", "ner", "--json")
    assert code == 0, err
    assert json.loads(out)["splits"]["train"]["labels"] == {"PER": 2}
    code, _, err = nlpt("inspect", path, "--task", "ner", "data.separator=;")
    assert code == 2
    assert f"data.separator: not used for {path} (slashes)" in err


# --- opened once ----------------------------------------------------------------------------------


def _json(rows: Iterable[object]) -> bytes:
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


FILES = {
    "train.conll": CONLL.encode(),
    "train.conll.gz": gzip.compress(CONLL.encode()),
    "long.conll": CONLL.encode() * 1000,
    "train.jsonl": _json(TAGGED),
    "train.json": json.dumps(TAGGED).encode(),
    "splits.json": json.dumps({"train": TAGGED, "test": TAGGED}).encode(),
    "spans.jsonl": _json([{"text": "Ada left", "spans": [[0, 3, "PER"]]}]),
    "a.csv": b"sentence_id,word,tag\n1,Ada,B-PER\n1,left,O\n2,Bob,B-PER\n",
    "b.tsv": b"sentence_id\tword\ttag\n1\tAda\tB-PER\n1\tleft\tO\n2\tBob\tB-PER\n",
    "studio.json": json.dumps(
        [
            {"data": {"text": "Ada left"}, "annotations": [{"result": [
                {"type": "labels", "from_name": "label", "to_name": "text",
                 "value": {"start": 0, "end": 3, "labels": ["PER"]}}]}]}
        ]
    ).encode(),
    "a.ann": b"T1\tPER 0 3\tAda\n",
}  # fmt: skip


def _save_others(folder: Path) -> list[Path]:
    """Write the files that are not text."""
    table = pa.Table.from_pylist(TAGGED)
    pq.write_table(table, folder / "a.parquet")
    for name, new in (("a.arrow", pa.ipc.new_file), ("b.arrow", pa.ipc.new_stream)):
        with new(folder / name, table.schema) as writer:
            writer.write_table(table)
    return [folder / name for name in ("a.parquet", "a.arrow", "b.arrow")]


def test_a_file_of_any_format_is_opened_once(tmp_path: Path, opened: Counter[str]) -> None:
    paths = _save_others(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
        paths.append(tmp_path / name)
    (tmp_path / "a.txt").write_text("Ada left")
    opened.clear()
    for path in paths:
        rows = [
            row for split in open_source(DataSection(source=str(path)))[1] for row in split.read()
        ]
        assert rows, path
    assert [opened[str(path)] for path in (*paths, tmp_path / "a.txt")] == [1] * (len(paths) + 1)


def test_the_texts_of_class_folders_are_opened_once(tmp_path: Path, opened: Counter[str]) -> None:
    paths = [tmp_path / name / "1.txt" for name in ("pos", "neg")]
    for path in paths:
        path.parent.mkdir()
        path.write_text("a text")
    opened.clear()
    _, (split,) = open_source(DataSection(source=str(tmp_path)))
    assert len(list(split.read())) == 2
    assert [opened[str(path)] for path in paths] == [1, 1]


def test_preparing_a_data_set_opens_each_file_once(
    nlpt: Run, ner_data: Path, tiny_bert: Path, opened: Counter[str]
) -> None:
    overrides = (f"data.source={ner_data}", f"model.checkpoint={tiny_bert}", "model.max_pieces=64",
                 "model.overlap=8")  # fmt: skip
    code, _, err = nlpt("prepare", "--recipe", "quickstart-ner", *overrides)
    assert code == 0, err
    files = {str(path) for path in ner_data.iterdir() if path.is_file()}
    assert {name: count for name, count in opened.items() if name in files} == dict.fromkeys(
        files, 1
    )


def test_of_many_part_files_few_are_open_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for number in range(120):
        (tmp_path / "train" / f"part-{number:05}.jsonl").write_bytes(_json(TAGGED))
    before = len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0
    _, (split,) = open_source(DataSection(source=str(tmp_path)))
    if before:
        assert len(list(Path("/proc/self/fd").iterdir())) - before <= 60
    assert len(list(split.read())) == 240


# --- keys that nothing uses -----------------------------------------------------------------------

VALUES = {
    "config": "en", "revision": "main", "streaming": "true", "separator": ";", "header": "false",
    "quoted": "true", "encoding": "latin-1", "encoding_errors": "replace", "scheme": "io",
    "repair": "true", "fold_case": "true", "entity_type": "X", "offsets": "utf16",
    "misaligned": "drop", "overlapping": "longest", "words": "treebank", "drop_missing": "true",
    "label_separator": ",",
}  # fmt: skip


def refused(nlpt: Run, *arguments: object) -> list[str]:
    """Name the keys that a command refuses."""
    code, _, err = nlpt("inspect", *arguments)
    lines = [line.removeprefix("error: ") for line in err.splitlines() if ": not used for" in line]
    assert code == (2 if lines else 0), err
    assert all(line.count(". ") >= 1 for line in lines)  # what to do
    return sorted(line.partition(":")[0].removeprefix("data.") for line in lines)


def test_a_key_that_a_folder_of_json_lines_does_not_use_is_refused(
    nlpt: Run, tmp_path: Path
) -> None:
    (tmp_path / "train.jsonl").write_bytes(_json(TEXTS))
    keys = [f"data.{key}={value}" for key, value in VALUES.items()]
    unused = [*VALUES.keys() - {"encoding", "encoding_errors", "drop_missing"}]
    assert refused(nlpt, tmp_path, "--task", "classification", *keys) == sorted(unused)
    keys = ["data.label_separator=,", "task.multi_label=true"]
    assert refused(nlpt, tmp_path, "--task", "classification", *keys) == []


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("train.conll", {"separator", "encoding", "encoding_errors", *TAG_KEYS}),
        ("a.csv", {"separator", "header", "quoted", "encoding", "encoding_errors", "drop_missing",
                   *TAG_KEYS}),
    ],
)  # fmt: skip
def test_every_format_refuses_what_it_does_not_use(
    name: str, used: set[str], nlpt: Run, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(FILES[name])
    for key, value in VALUES.items():
        if key not in {*used, "words"}:
            found = refused(nlpt, tmp_path / name, "--task", "ner", f"data.{key}={value}")
            assert found == [key]


def test_shares_of_splits_that_are_there_are_refused(nlpt: Run, tmp_path: Path) -> None:
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_bytes(_json(TAGGED))
    keys = ["data.validation_share=0.2", "data.test_share=0.2", "data.split_seed=3"]
    assert refused(nlpt, tmp_path, "--task", "ner", *keys) == ["test_share"]
    assert refused(nlpt, tmp_path, "--task", "ner", *keys, "data.splits.test=null") == []


def test_a_key_at_its_default_is_no_fault(nlpt: Run, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_bytes(_json(TAGGED * 10))
    resolved = load_recipe("quickstart-ner", [f"data.source={tmp_path}"]).as_yaml()
    (tmp_path / "mine.yaml").write_text(resolved)
    recipe = load_recipe(str(tmp_path / "mine.yaml"))
    assert set(recipe.task.rows.load(recipe.data)) == {"train", "validation", "test"}


@pytest.mark.parametrize("name", ["wnut17-ner", "wikiann-ner", "bc5cdr-ner", "few-nerd-ner"])
def test_what_a_recipe_says_of_its_own_data_lapses_with_other_data(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for split in ("train", "dev", "test"):
        text = CONLL.replace("B-PER", "PER").replace("PER", "B-Disease") * 2
        (tmp_path / f"{split}.conll").write_text(text)
    with caplog.at_level("INFO", "nlp_transfer"):
        recipe = load_recipe(name, [f"data.source={tmp_path}", "data.scheme=auto"])
        splits = recipe.task.rows.load(recipe.data)
    assert set(splits) == {"train", "validation", "test"}
    said = [line for line in caplog.messages if "of the recipe's own data" in line]
    keys = [line.partition(": ")[0] for line in said]
    assert keys[0] in ("data.revision", "data.config")
    assert keys[1:] in ([], ["data.columns.tags"])


def test_commands_and_recipes_of_runs_say_in_one_line_what_lapses(
    nlpt: Run, ner_data: Path, tiny_bert: Path, tmp_path: Path
) -> None:
    sizes = ("model.max_pieces=64", "model.overlap=8")
    own = (f"data.source={ner_data}", f"model.checkpoint={tiny_bert}", "task.types=null", *sizes)
    code, _, err = nlpt("prepare", "--recipe", "wnut17-ner", *own)
    assert code == 0, err
    assert err.count("data.revision: of the recipe's own data, and not used for") == 1
    resolved = load_recipe("wnut17-ner", own).as_yaml()
    assert "revision: null" in resolved
    # Runs of an earlier version kept such keys in their recipes.
    (tmp_path / "recipe.yaml").write_text(resolved.replace("revision: null", "revision: main", 1))
    assert nlpt("prepare", "--recipe", tmp_path / "recipe.yaml")[0] == 2
    (tmp_path / "environment.json").write_text("{}")
    code, _, err = nlpt("prepare", "--recipe", tmp_path)
    assert code == 0, err
    assert err.count("data.revision: of the recipe's own data, and not used for") == 1


def test_names_of_a_recipes_own_labels_say_how_other_data_is_read(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}.conll").write_text(CONLL * 2)
    other = [f"data.source={tmp_path}"]
    recipe = load_recipe("bc5cdr-ner", other)
    with pytest.raises(UserError, match=r"; data\.label_names=null reads labels of other data\."):
        recipe.task.rows.load(recipe.data)
    recipe = load_recipe("bc5cdr-ner", [*other, "data.label_names=null"])
    assert set(recipe.task.rows.load(recipe.data)) == {"train", "validation", "test"}


def test_a_key_that_is_given_with_the_data_does_not_lapse(tmp_path: Path) -> None:
    (tmp_path / "train.conll").write_text(CONLL)
    given = [f"data.source={tmp_path}", "data.revision=main"]
    recipe = load_recipe("wnut17-ner", given)
    with pytest.raises(UserError, match=r"data\.revision: not used for .*\(conll\)"):
        recipe.task.rows.load(recipe.data)


@pytest.mark.parametrize(
    ("name", "override", "expected"),
    [
        (
            "few-nerd-ner",
            "data.separator=;",
            "few-nerd (data set of the Hub)",
        ),
        ("quickstart-ner", "data.streaming=true", "train.conll (conll)"),
        ("quickstart-ner", "data.source=my_module:load data.encoding=latin-1", "(function)"),
    ],
)
def test_a_recipe_is_validated_as_far_as_its_data_is_at_hand(
    name: str, override: str, expected: str, nlpt: Run
) -> None:
    assert nlpt("recipes", "validate", name)[0] == 0
    code, _, err = nlpt("recipes", "validate", name, *override.split())
    assert code == 2
    assert expected in err


def test_keys_about_tags_and_about_spans_are_told_apart_by_the_rows(
    nlpt: Run, tmp_path: Path
) -> None:
    (tmp_path / "tags.jsonl").write_bytes(_json(TAGGED))
    (tmp_path / "spans.jsonl").write_bytes(FILES["spans.jsonl"])
    keys = ["data.repair=true", "data.misaligned=drop"]
    assert refused(nlpt, tmp_path / "tags.jsonl", "--task", "ner", *keys) == ["misaligned"]
    assert refused(nlpt, tmp_path / "spans.jsonl", "--task", "ner", *keys) == ["repair"]
