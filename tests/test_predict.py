"""`nlpt predict`: what is read of an input, and what comes back beside each prediction."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from damaging import made_by_hand
from interrupting import interrupted_forward

from nlp_transfer import Predictor, UserError, predict
from nlp_transfer.recipe import DataSection

pytestmark = pytest.mark.usefixtures("one_thread")

Run = Callable[..., tuple[int, str, str]]
PAIRS = [("good film", "good movie"), ("bad film", "good movie"), ("good film", "bad movie")]
PAIR_COLUMNS = "{text: premise, text_pair: hypothesis}"


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory,
    data_folder: Callable[[str], Path],
    checkpoint: Callable[..., Path],
    pair_data: Path,
    trained: Callable[..., Path],
) -> Callable[[str], Path]:
    """Return a function that names a run for ner, classification or pairs, trained once."""
    from tiny import write_recipe

    folder = tmp_path_factory.mktemp("runs")

    def run(kind: str) -> Path:
        recipe = write_recipe(
            folder / f"{kind}.yaml",
            task="ner" if kind == "ner" else "classification",
            data=pair_data if kind == "pairs" else data_folder(kind),
            checkpoint=checkpoint("bert"),
            strategy="full",
            training={"epochs": 1},
        )
        return trained(recipe, *([f"data.columns={PAIR_COLUMNS}"] if kind == "pairs" else []))

    return run


@pytest.fixture(scope="module")
def pair_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of pairs of texts."""
    return _pair_files(tmp_path_factory.mktemp("pairs") / "data")


def _pair_files(folder: Path) -> Path:
    folder.mkdir()
    for name in ("train", "valid", "test"):
        rows = [(*pair, "same" if pair == PAIRS[0] else "other") for pair in PAIRS * 4]
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("premise", "hypothesis", "label"), *rows])
    return folder


def _json_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def _rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def _records(out: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(out, newline="")))


GIVEN = {"uid": 7, "text": "Ada left", "label": "gold", "meta": {"n": None}, "tags": "mine"}


@pytest.mark.parametrize(
    ("task", "renamed"), [("ner", {"tags"}), ("classification", {"label"})], ids=str
)
def test_every_field_comes_back_and_none_takes_the_place_of_a_result(
    task: str, renamed: set[str], nlpt: Run, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    source = _json_lines(tmp_path / "in.jsonl", [GIVEN, {"text": "Alan"}])
    code, out, _ = nlpt("predict", runs(task), source)
    first, second = _rows(out)
    assert code == 0
    answers = {"tokens", "tags", "entities"} if task == "ner" else {"label", "score", "scores"}
    assert set(second) == {"text"} | answers
    back = {f"input_{name}" if name in renamed else name: value for name, value in GIVEN.items()}
    assert {name: value for name, value in first.items() if name not in answers} == back
    (plain,) = Predictor.from_run(runs(task))([GIVEN["text"]])
    assert {name: first[name] for name in answers} == {name: plain[name] for name in answers}
    assert _rows(json.dumps(next(Predictor.from_run(runs(task))([GIVEN])))) == [first]


def test_a_renamed_field_takes_no_other_fields_name(runs: Callable[[str], Path]) -> None:
    given = {"text": "Ada", "label": 1, "input_label": 2, "input_input_label": 3}
    (found,) = Predictor.from_run(runs("classification"))([given])
    assert (found["input_label"], found["input_input_label"]) == (2, 3)
    assert found["input_input_input_label"] == 1


def test_fields_come_back_in_csv(nlpt: Run, runs: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('nr,text,score,note\n01,"Ada, left",5,"a ""b"""\n02,b,,\n')
    code, out, _ = nlpt("predict", runs("classification"), tmp_path / "in.csv", "--to", "csv")
    first, second = _records(out)
    assert code == 0
    assert list(first) == ["nr", "text", "input_score", "note", "label", "score"]
    assert [first[name] for name in ("nr", "text", "input_score", "note")] == [
        "01", "Ada, left", "5", 'a "b"'
    ]  # fmt: skip
    assert second["input_score"] == second["note"] == ""
    source = _json_lines(tmp_path / "in.jsonl", [GIVEN, {"text": "Alan"}])
    first, second = _records(nlpt("predict", runs("classification"), source, "--to", "csv")[1])
    assert (first["uid"], first["meta"], first["input_label"]) == ("7", '{"n": null}', "gold")
    assert (second["uid"], second["meta"]) == ("", "")
    source = _json_lines(tmp_path / "in.jsonl", [{"text": "Alan"}, GIVEN])
    code, _, err = nlpt("predict", runs("classification"), source, "--to", "csv")
    assert (code, "'uid' is not among those of the first" in err) == (2, True)


@pytest.mark.parametrize(
    ("kind", "to", "back"),
    [
        ("ner", "jsonl", '"id": "a7"'),
        ("ner", "spans", '"id": "a7"'),
        ("ner", "doccano", '"id": "a7"'),
        ("ner", "label-studio", '"data": {"id": "a7"'),
        ("classification", "jsonl", '"id": "a7"'),
        ("classification", "doccano", '"id": "a7"'),
        ("classification", "label-studio", '"data": {"id": "a7"'),
        ("classification", "csv", '"a7","Ada left"'),
    ],
)
def test_ids_come_back_whatever_the_format(
    kind: str, to: str, back: str, nlpt: Run, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    as_json = _json_lines(tmp_path / "in.jsonl", [{"id": "a7", "text": "Ada left"}])
    (tmp_path / "in.csv").write_text("id,text\na7,Ada left\n")
    for source in (as_json, tmp_path / "in.csv"):
        code, out, _ = nlpt("predict", runs(kind), source, "--to", to)
        assert (code, back in out) == (0, True)


def test_python_has_the_command_too(nlpt: Run, runs: Callable[[str], Path]) -> None:
    Path("in.csv").write_text("id;body\na7;Ada left\n")
    options = ("--columns", "text=body", "--separator", ";")
    code, out, _ = nlpt("predict", runs("ner"), "in.csv", *options)
    data = DataSection(source="in.csv", columns={"text": "body"}, separator=";")
    predict(runs("ner"), source=data, output="out.jsonl")
    assert (code, out) == (0, Path("out.jsonl").read_text("utf-8"))
    with pytest.raises(UserError, match="there is no file 'nowhere'"):
        predict(runs("ner"), source="nowhere")


def test_fields_survive_an_interruption(
    nlpt: Run, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    rows = [{"text": f"Ada {number}", "id": number, "score": "x"} for number in range(8)]
    source, output = _json_lines(tmp_path / "in.jsonl", rows), tmp_path / "out"
    command = ("predict", runs("ner"), source, "--precision", "fp32", "-o", output)
    with interrupted_forward():
        assert nlpt(*command)[0] == 130
    assert nlpt(*command, "--resume")[0] == 0
    found = _rows(output.read_text("utf-8"))
    assert [(row["id"], row["text"], row["score"]) for row in found] == [
        (row["id"], row["text"], "x") for row in rows
    ]


def test_what_only_tables_hold_comes_back_as_json(
    nlpt: Run, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    row = {"text": "Ada left", "day": date(2020, 2, 1), "nan": float("nan"), "raw": b"\0\xff"}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "in.parquet")
    code, out, _ = nlpt("predict", runs("ner"), tmp_path / "in.parquet")
    (found,) = _rows(out)
    assert code == 0
    assert (found["day"], found["nan"], found["raw"]) == ("2020-02-01", None, "AP8=")


def test_annotation_tools_get_the_fields_too(
    nlpt: Run, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    given = {"nr": 1, "text": "Ada", "label": "x", "spans": 3}
    source = _json_lines(tmp_path / "in.jsonl", [given])
    out = {to: nlpt("predict", runs("ner"), source, "--to", to)[1] for to in ("spans", "doccano")}
    (spans,), (doccano,) = _rows(out["spans"]), _rows(out["doccano"])
    assert (spans["nr"], spans["label"], spans["input_spans"]) == (1, "x", 3)
    assert (doccano["nr"], doccano["input_label"], doccano["spans"]) == (1, "x", 3)
    (task,) = json.loads(nlpt("predict", runs("ner"), source, "--to", "label-studio")[1])
    assert task["data"] == given


def test_the_data_of_label_studio_tasks_come_back(
    nlpt: Run, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    task = {"id": 4, "data": {"text": "Ada left", "url": "x", "n": 1}, "annotations": []}
    (tmp_path / "tasks.json").write_text(json.dumps([task]))
    code, out, _ = nlpt("predict", runs("ner"), tmp_path / "tasks.json")
    (row,) = _rows(out)
    assert (code, row["id"], row["text"], row["url"], row["n"]) == (0, 4, "Ada left", "x", 1)


# Pairs


def test_a_pair_model_reads_the_columns_that_it_learned_from(
    nlpt: Run, runs: Callable[[str], Path], pair_data: Path, tmp_path: Path
) -> None:
    settings = json.loads((runs("pairs") / "model" / "config.json").read_text("utf-8"))
    assert settings["nlp_transfer"]["columns"] == {"text": "premise", "text_pair": "hypothesis"}
    test = pair_data / "test.csv"
    code, out, err = nlpt("predict", runs("pairs"), test)
    assert (code, err) == (0, "")
    found = _rows(out)
    assert [(row["text"], row["text_pair"]) for row in found] == PAIRS * 4
    assert [row["input_label"] for row in found[:3]] == ["same", "other", "other"]
    scored = (runs("pairs") / "predictions.jsonl").read_text("utf-8")
    for row, expected in zip(found, _rows(scored), strict=True):
        assert row["scores"] == pytest.approx(expected["scores"], abs=1e-3)
    named = tmp_path / "named.csv"
    named.write_text(test.read_text().replace("premise,hypothesis", "a,b"))
    options = ("--columns", "text=a,text_pair=b")
    same = _rows(nlpt("predict", runs("pairs"), named, *options)[1])
    assert [row["scores"] for row in same] == [row["scores"] for row in found]
    assert [row["b"] for row in same] == [row["text_pair"] for row in same]


def test_a_missing_second_text_is_said_and_counted(
    nlpt: Run, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    rows = [{"premise": "good film", "hypothesis": second} for second in ("a", None, "", "b")]
    rows.append({"premise": "good film", "hypothesis": float("nan")})
    code, out, err = nlpt("predict", runs("pairs"), _json_lines(tmp_path / "in.jsonl", rows))
    assert code == 0
    assert "3 of 5 items have no second text" in err
    assert [row.get("text_pair") for row in _rows(out)] == ["a", None, None, "b", None]
    code, _, err = nlpt("predict", runs("pairs"), "-", stdin="good film\n")
    assert code == 0
    assert "Found: text." in err
    assert "--columns text_pair=COLUMN" in err
    assert "1 of 1 items have no second text" in err


def test_a_score_does_not_depend_on_the_other_rows(runs: Callable[[str], Path]) -> None:
    alone = {"text": "good film"}
    predictor = Predictor.from_run(runs("classification"), precision="fp32")
    (expected,) = predictor([alone])
    first, second, _ = predictor([alone, {"text": "a", "text_pair": "b"}, {"text": "c " * 99}])
    assert first["scores"] == pytest.approx(expected["scores"], abs=1e-6)
    assert second["text_pair"] == "b"


def test_long_texts_among_pairs_are_read_to_the_end(
    runs: Callable[[str], Path],
) -> None:
    predictor = Predictor.from_run(runs("classification"))
    rows = [{"text": "good film " * 60, "text_pair": None}, {"text": "a", "text_pair": "b"}]
    (windows, losses), (pair, _) = predictor.encode(rows)
    assert (len(windows) > 1, losses.words_truncated, len(pair)) == (True, 0, 1)


@pytest.mark.parametrize("column", ["premise", "hypothesis"])
@pytest.mark.parametrize("value", [5, True, 2.5, ["a"], {"a": 1}])
def test_what_is_no_text_is_refused_alike_by_training_and_prediction(
    column: str, value: Any, nlpt: Run, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    row = {"premise": "a", "hypothesis": "b", "label": "same"} | {column: value}
    source = _json_lines(tmp_path / "train.jsonl", [row])
    wanted = f"train.jsonl:1: the text is {value} ({type(value).__name__})"
    code, out, err = nlpt("predict", runs("pairs"), source)
    assert (code, out, wanted in err, "Traceback" in err) == (2, "", True, False)
    options = (f"data.columns={PAIR_COLUMNS}", "--task", "classification")
    code, _, err = nlpt("inspect", source, *options)
    assert (code, wanted in err) == (2, True)


def test_missing_second_texts_of_training_are_counted(nlpt: Run, tmp_path: Path) -> None:
    rows = [{"text": f"a {n}", "text_pair": "b", "label": "x" if n % 2 else "y"} for n in range(6)]
    rows[1]["text_pair"] = float("nan")
    rows[2]["text_pair"] = None
    source = _json_lines(tmp_path / "train.jsonl", rows)
    code, out, _ = nlpt("inspect", source, "--task", "classification", "--json")
    assert code == 0
    assert '"nan"' not in out


# What is missing or cannot be read


@pytest.mark.parametrize("content", ["", "text,id\n"], ids=["empty", "header"])
@pytest.mark.parametrize("kind", ["ner", "classification"])
def test_an_empty_input_is_said_and_gives_an_empty_output(
    kind: str, content: str, nlpt: Run, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text(content)
    code, out, err = nlpt("predict", runs(kind), tmp_path / "in.csv")
    assert (code, out) == (0, "")
    assert "in.csv: there is nothing to predict" in err
    code, out, err = nlpt("predict", runs(kind), "-")
    assert (code, out) == (0, "")
    assert "stdin: there is nothing to predict" in err


def test_entities_that_are_nowhere_are_remarked_on(nlpt: Run, runs: Callable[[str], Path]) -> None:
    remark = "no entity was found in {} texts: is this the model for them?"
    for text in ("so it goes\n", "Ada met Tom\n"):
        code, out, err = nlpt("predict", runs("ner"), "-", stdin=text * 12)
        found = any(row["entities"] for row in _rows(out))
        assert (code, remark.format(12) in err) == (0, not found)
    for kind, count in (("ner", 3), ("classification", 12)):
        assert "no entity" not in nlpt("predict", runs(kind), "-", stdin="so it goes\n" * count)[2]


def test_texts_without_a_word_are_counted(nlpt: Run, runs: Callable[[str], Path]) -> None:
    Path("in.jsonl").write_text('{"text": null}\n{"text": "a"}\n{"text": NaN}\n{"text": " "}\n')
    code, out, err = nlpt("predict", runs("classification"), "in.jsonl")
    assert code == 0
    assert [row["text"] for row in _rows(out)] == ["", "a", "", " "]
    assert "3 of 4 items hold no text" in err


def test_the_options_that_messages_name_are_those_of_the_command(
    nlpt: Run, runs: Callable[[str], Path]
) -> None:
    def refused(*arguments: Any, **kinds: str) -> str:
        code, out, err = nlpt("predict", runs("ner"), *arguments, **kinds)
        assert (code, out) == (2, "")
        assert "data." not in err
        return err

    def found(*arguments: Any) -> list[str]:
        code, out, _ = nlpt("predict", runs("ner"), *arguments)
        assert code == 0
        return [row["text"] for row in _rows(out)]

    Path("latin.txt").write_bytes("Zoë\n".encode("latin-1"))
    assert "--encoding ..., or" in refused("latin.txt")
    assert found("latin.txt", "--encoding", "latin-1") == ["Zoë"]
    assert found("latin.txt", "--encoding-errors", "replace") == ["Zo\ufffd"]
    Path("wide.txt").write_bytes("Zoë\n".encode("utf-16"))
    assert "--encoding utf-16" in refused("wide.txt")
    assert found("wide.txt", "--encoding", "utf-16") == ["Zoë"]
    Path("bare.csv").write_text("1,Ada\n2,Zoë\n", "utf-8")
    assert "--no-header --columns text=0" in refused("bare.csv")
    assert found("bare.csv", "--no-header", "--columns", "text=1") == ["Ada", "Zoë"]
    Path("semi.csv").write_text("id;text\n1;Zoë\n", "utf-8")
    assert "--separator ';'" in refused("semi.csv")
    assert found("semi.csv", "--separator", ";") == ["Zoë"]
    Path("tabs.csv").write_text("id\ttext\n1\tZoë\n", "utf-8")
    assert "--format tsv" in refused("tabs.csv")
    assert found("tabs.csv", "--format", "tsv") == ["Zoë"]
    Path("quote.csv").write_text('text\nAda "left"" x\n"Zoë" b\n', "utf-8")
    assert "--no-quoted" in refused("quote.csv")
    assert found("quote.csv", "--no-quoted") == ['Ada "left"" x', '"Zoë" b']
    Path("other.csv").write_text("nr,body\n1,Zoë\n", "utf-8")
    assert "--columns text=COLUMN" in refused("other.csv")
    assert found("other.csv", "--column", "body") == ["Zoë"]
    assert found("other.csv", "--columns", "text=body") == ["Zoë"]
    assert "Did you mean 'body'" in refused("other.csv", "--column", "boddy")
    assert "Did you mean 'text_pair'" in refused("other.csv", "--columns", "textpair=body")
    assert "not ROLE=COLUMN" in refused("other.csv", "--columns", "body")
    for option, value in (
        ("--columns", "text=-999999"),
        ("--separator", ""),
        ("--encoding", "a b"),
    ):
        assert f"{option}: " in refused("other.csv", option, value)


def test_stdin_of_json_lines_is_not_read_as_text(nlpt: Run, runs: Callable[[str], Path]) -> None:
    line = '{"id": "x", "text": "Ada left"}\n'
    code, out, err = nlpt("predict", runs("ner"), "-", stdin=line)
    assert code == 0
    assert "JSON lines are read" in err
    assert [(row["id"], row["text"]) for row in _rows(out)] == [("x", "Ada left")]
    (row,) = _rows(nlpt("predict", runs("ner"), "-", "--format", "text", stdin=line)[1])
    assert row["text"] == line.rstrip()


def test_items_that_are_none_are_named(runs: Callable[[str], Path]) -> None:
    predictor = Predictor.from_run(runs("ner"))
    for given, wanted in ((5, "item 2: expected a text"), ({"body": "b"}, "item 2: no column")):
        with pytest.raises(UserError, match=wanted):
            list(predictor(["Ada", given]))  # type: ignore[list-item]
    (found,) = predictor([{"body": "Ada left", "n": 1}], columns={"text": "body"})
    assert (found["text"], found["body"], found["n"]) == ("Ada left", "Ada left", 1)


# Folders


def test_the_files_of_a_folder_are_read_in_a_named_order(
    nlpt: Run, runs: Callable[[str], Path]
) -> None:
    Path("in").mkdir()
    Path("in", "b.txt").write_text("from text\nagain\n")
    Path("in", "a.csv").write_text("text\nfrom csv\n")
    Path("in", "c.jsonl").write_text('{"text": "from json"}\n')
    Path("in", "README.md").write_text("no data\n")
    code, out, err = nlpt("predict", runs("ner"), "in")
    assert code == 0
    assert [row["text"] for row in _rows(out)] == ["from csv", "from text", "again", "from json"]
    assert "3 file(s) are read, in this order: a.csv, b.txt, c.jsonl" in err


def test_a_folder_that_is_not_surely_texts_is_refused(
    nlpt: Run, runs: Callable[[str], Path]
) -> None:
    Path("in", "pos").mkdir(parents=True)
    Path("in", "a.txt").write_text("text\n")
    code, out, err = nlpt("predict", runs("ner"), "in")
    assert (code, out, "Found: a.txt, pos" in err) == (2, "", True)
    Path("brat").mkdir()
    for name in ("a.txt", "a.ann", "b.csv"):
        Path("brat", name).write_text("text\n" if name != "a.ann" else "")
    code, out, err = nlpt("predict", runs("ner"), "brat")
    assert (code, out, "other files: b.csv" in err) == (2, "", True)
    Path("brat", "b.csv").unlink()
    code, out, err = nlpt("predict", runs("ner"), "brat")
    assert (code, [row["id"] for row in _rows(out)]) == (0, ["a"])
    assert "each as one text" in err


# --- what no model can read, from Python and from stdin -------------------------------------------


def test_half_a_character_is_refused(runs: Callable[[str], Path]) -> None:
    for item in ("Ada \ud800", ["Ada", "\ud800"], {"text": "\udc00"}):
        with pytest.raises(UserError, match="half a character"):
            list(Predictor.from_run(runs("ner"))([item]))
    assert list(Predictor.from_run(runs("ner"))(["Ada \ud800".encode("utf-8", "replace").decode()]))


def test_options_that_there_are_not_are_refused(runs: Callable[[str], Path]) -> None:
    with pytest.raises(UserError, match=r"'fp8' is unknown \(auto, bf16, fp16, fp32\)"):
        Predictor.from_run(runs("ner"), precision="fp8")
    with pytest.raises(UserError, match="'foo' is unknown"):
        Predictor.from_run(runs("ner"), words="foo")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Predictor.from_run\('runs/x'\)"):
        Predictor("runs/x")  # type: ignore[call-arg,arg-type]


def test_the_columns_of_a_data_frame_are_not_taken_for_texts(runs: Callable[[str], Path]) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": ["Ada", "Alan"], "id": [1, 2]})
    predictor = Predictor.from_run(runs("classification"))
    with pytest.raises(TypeError, match=r'frame.to_dict\("records"\)'):
        predictor(frame)
    assert [row["id"] for row in predictor(frame.to_dict("records"))] == [1, 2]


def test_the_input_is_never_written_over(
    nlpt: Run, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("Ada\n", encoding="utf-8")
    code, _, err = nlpt("predict", runs("ner"), texts, "-o", texts)
    assert code == 2
    assert "is the input" in err
    assert texts.read_text(encoding="utf-8") == "Ada\n"


def test_stdin_is_json_where_it_begins_with_a_list_of_objects_and_comes_out_as_json(
    nlpt: Run, runs: Callable[[str], Path]
) -> None:
    stdin = '[{"text": "Ada", "n": 1e400}, {"text": "Alan"}]\n'
    code, out, _ = nlpt("predict", runs("ner"), "-", stdin=stdin)
    first, second = map(json.loads, out.splitlines())
    assert code == 0
    assert (first["text"], first["n"], second["text"]) == ("Ada", None, "Alan")


def test_a_model_that_computes_no_numbers_is_refused(
    nlpt: Run, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    made_by_hand(shutil.copytree(runs("classification") / "model", tmp_path / "model"))
    config = json.loads((tmp_path / "model" / "config.json").read_text("utf-8"))
    config["layer_norm_eps"] = float("nan")
    (tmp_path / "model" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    code, out, err = nlpt("predict", tmp_path / "model", "-", stdin="Ada\n")
    assert (code, out) == (2, "")
    assert "NaN" in err
