"""What docs/data.md shows does what it says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from nlp_transfer.data.formats import FORMATS, AnyData
from nlp_transfer.data.formats.base import ROW_KEYS
from nlp_transfer.data.sources import hub
from nlp_transfer.recipe import DataSection

PAGE = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")


def test_the_custom_source_reads_its_shape(nlpt, tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    folder = Path("snips2017", "PlayMusic")
    folder.mkdir(parents=True)
    data = [{"data": [{"text": "play "}, {"text": "Etta James", "entity": "artist"}]}]
    for name in ("train_PlayMusic_full.json", "validate_PlayMusic.json"):
        (folder / name).write_text(json.dumps({"PlayMusic": data}))
    Path("docs_source.py").write_text(code)
    code, out, err = nlpt("inspect", "docs_source:load", "--task", "ner", "--json")
    assert code == 0, err
    splits = json.loads(out)["splits"]
    assert splits["train"]["labels"] == splits["validation"]["labels"] == {"artist": 1}
    (folder / "train_PlayMusic_full.json").write_bytes(b'{"PlayMusic": ["\xed"]}')
    code, _, err = nlpt("inspect", "docs_source:load", "--task", "ner", "--json")
    assert code == 2
    assert "train_PlayMusic_full.json:1: byte 0xED at offset 16" in err


def test_the_custom_source_reads_the_published_files_by_the_command_beside_it(nlpt):
    """With a byte that is no UTF-8, and an entity that ends inside a word."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    Path("my_data.py").write_text(code)
    folder = Path("snips2017", "PlayMusic")
    folder.mkdir(parents=True)
    data = [{"data": [{"text": "play caf?s on "}, {"text": "Halsey St", "entity": "poi"},
                      {"text": "."}]}]  # fmt: skip
    for name in ("train_PlayMusic_full.json", "validate_PlayMusic.json"):
        broken = json.dumps({"PlayMusic": data}).encode().replace(b"?", b"\xe9")
        (folder / name).write_bytes(broken)
    command = re.search(r"nlpt (inspect my_data:load_published .*)", PAGE)[1]
    status, out, err = nlpt(*shlex.split(command), "--json")
    assert status == 0, err
    counts = [split["losses"]["entities_dropped"] for split in json.loads(out)["splits"].values()]
    assert counts == [1, 1]


def test_the_command_for_a_document_of_splits_works(nlpt):
    command = re.search(r"nlpt (inspect data_full\.json.*?)```", PAGE, re.DOTALL)[1]
    names = ("oos_val", "val", "train", "oos_test", "test", "oos_train")
    rows = [["hi there", "greet"], ["so long", "part"]]
    Path("data_full.json").write_text(json.dumps(dict.fromkeys(names, rows)))
    code, out, err = nlpt(*shlex.split(command.replace("\\\n", " ")), "--json")
    assert code == 0, err
    assert [split["examples"] for split in json.loads(out)["splits"].values()] == [4, 4, 4]


def test_the_page_names_every_format_and_only_options_that_exist():
    for known in FORMATS:
        assert f"`{known.name}`" in PAGE or known.read is None, known.name
    for key in re.findall(r"`data\.(\w+)", PAGE):
        assert key in DataSection.model_fields, key


def test_the_page_says_of_every_key_what_uses_it():
    """A table of the keys that not every source uses, from what formats and sources say."""
    readable = {f"`{known.name}`": known.keys | {"format"} for known in FORMATS if known.read}
    others = {"data sets of the Hub": hub.KEYS, "functions": ROW_KEYS, "saved data sets": ROW_KEYS}
    users = {
        key: ", ".join(name for name, keys in {**readable, **others}.items() if key in keys)
        for key in AnyData.model_fields
    }
    rows = [
        f"| {', '.join(f'`{key}`' for key in users if users[key] == used)} | {used} |"
        for used in dict.fromkeys(filter(None, users.values()))
    ]
    assert "\n".join(rows) in PAGE
    told = set(re.findall(r"`(\w+)`", PAGE[PAGE.index("| keys |") : PAGE.index("Tag schemes")]))
    assert set(AnyData.model_fields) <= told
