"""Recipes: what is refused and how it is said, YAML without traps, overrides, the way back."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_transfer import load_recipe
from nlp_transfer.errors import UserError
from nlp_transfer.recipe.reader import find_recipe
from nlp_transfer.recipe.shipped import shipped_recipes
from nlp_transfer.recipe.yaml_reader import read_yaml
from nlp_transfer.strategies.any_recipe import AnyRecipe

GOOD = """\
name: mine
task:
  name: ner
  decoding: viterbi
data:
  source: somewhere/data
  columns: {tokens: tokens, tags: 3}
model:
  checkpoint: some/checkpoint
strategies:
  - name: full
training:
  epochs: 2
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Return a function that writes a recipe file and gives its name."""
    monkeypatch.chdir(tmp_path)

    def write(text: str = GOOD, name: str = "mine.yaml") -> str:
        Path(name).write_text(text, encoding="utf-8")
        return name

    return write


def faults(name: str, *overrides: str) -> str:
    with pytest.raises(UserError) as caught:
        load_recipe(name, overrides)
    return str(caught.value)


# --- faults ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "wrong", "line", "path", "suggestion"),
    [
        ("epochs: 2", "epoch: 2", 13, "training.epoch", "epochs"),
        ("decoding: viterbi", "decodign: viterbi", 4, "task.ner.decodign", "decoding"),
        ("checkpoint: some/checkpoint", "checkpoint: a/b\n  revison: x", 10, "model.revison",
         "revision"),
        ("- name: full", "- name: lora\n    rnak: 4", 12, "strategies.0.lora.rnak", "rank"),
        ("training:", "trainin:", 12, "trainin", "training"),
    ],
)  # fmt: skip
def test_an_unknown_key_suggests_the_nearest_with_path_and_line(
    written, right, wrong, line, path, suggestion
):
    message = faults(written(GOOD.replace(right, wrong)))
    assert f"mine.yaml:{line}: {path}: unknown key. Did you mean '{suggestion}'" in message


def test_an_unknown_role_of_a_column_suggests_the_nearest(written):
    message = faults(written(GOOD.replace("tokens: tokens", "toknes: tokens")))
    assert "mine.yaml:7: data.columns.toknes: unknown key. Did you mean 'tokens'?" in message


def test_an_unknown_split_suggests_the_nearest(written):
    message = faults(written(), "data.splits={trian: train}")
    assert "command line: data.splits.trian: unknown key. Did you mean 'train'" in (message)


def test_a_wrong_type_is_named_with_path_line_and_what_was_found(written):
    message = faults(written(GOOD.replace("epochs: 2", "epochs: many")))
    assert "mine.yaml:13: training.epochs: " in message
    assert "found 'many'" in message


def test_an_unknown_choice_names_the_allowed_ones(written):
    message = faults(written(GOOD.replace("viterbi", "viterby")))
    assert "mine.yaml:4: task.ner.decoding: " in message
    assert "'viterbi' or 'greedy', found 'viterby'" in message


def test_an_unknown_strategy_suggests_the_nearest(written):
    message = faults(written(GOOD.replace("name: full", "name: lorra")))
    assert "mine.yaml:11: strategies.0: 'lorra' is unknown" in message
    assert "Did you mean 'lora'?" in message


def test_all_faults_are_shown_at_once(written):
    text = GOOD.replace("epochs: 2", "epochs: -1\n  sead: 3").replace("  source: ", "  sauce: ")
    message = faults(written(text))
    assert message.startswith("The recipe has 4 faults:")
    for path in ("training.epochs", "training.sead", "data.sauce", "data.source"):
        assert f" {path}: " in message


def test_a_missing_section_is_named(written):
    message = faults(written(GOOD.replace("model:\n  checkpoint: some/checkpoint\n", "")))
    assert "mine.yaml: model: this key is required." in message


@pytest.mark.parametrize("text", ["", "just a sentence", "- a\n- list\n", "# nothing yet\n"])
def test_a_file_that_is_no_mapping_is_refused(written, text):
    assert "a recipe is a mapping of sections" in faults(written(text))


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes("description: caf\u00e9\n".encode("latin-1"))
    assert "byte 16 is not UTF-8" in faults(str(path))


def test_two_strategies_that_decide_the_same_are_refused_by_name(written):
    message = faults(written(), "strategies=[{name: lora}, {name: frozen}]")
    assert "'lora'" in message
    assert "'frozen'" in message


def test_no_strategy_at_all_is_refused(written):
    assert "strategies" in faults(written(), "strategies=[]")


# --- finding --------------------------------------------------------------------------------------


def test_an_unknown_recipe_suggests_the_nearest_shipped_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "Did you mean 'quickstart-ner'" in faults("quickstrat-ner")


@pytest.mark.parametrize("place", ["sst2.yaml", "recipes/sst2.yaml", "sst2/recipe.yaml"])
def test_a_users_own_recipe_comes_before_the_shipped_one(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / place
    own.parent.mkdir(exist_ok=True)
    own.write_text(GOOD)
    assert load_recipe("sst2").name == "mine"
    own.unlink()
    assert load_recipe("sst2").name == "sst2"
    assert find_recipe("sst2") == shipped_recipes()["sst2"]


# --- YAML -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("on", "on"), ("yes", "yes"), ("Off", "Off"), ("y", "y"), ("N", "N"),
        ("12:30", "12:30"), ("2024-01-01", "2024-01-01"), ("1_000", "1_000"), ("<<", "<<"),
        ("'5'", "5"), ("O", "O"), ("-", [None]), ("B-PER", "B-PER"), (".", "."), ("1.2.3", "1.2.3"),
        ("5e-5", 5e-5), ("3E4", 3e4), ("1.", 1.0), (".5", 0.5), ("-2.5e+3", -2500.0),
        ("017", 17), ("0o17", 15), ("0xff", 255), ("+3", 3), ("-0", 0),
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
    ],
)  # fmt: skip
def test_yaml_scalars_mean_what_their_reader_expects(text, value):
    found, _ = read_yaml(text, "here")
    assert found == value
    assert type(found) is type(value)


def test_yaml_reads_infinity_and_not_a_number():
    found, _ = read_yaml("[.inf, -.inf, .nan]", "here")
    assert found[:2] == [math.inf, -math.inf]
    assert math.isnan(found[2])


def test_labels_called_no_and_on_stay_text(written):
    recipe = load_recipe(written(), ["task={name: classification, classes: [no, on, yes, 7]}"])
    assert recipe.task.classes == ("no", "on", "yes", "7")


def test_a_number_in_exponent_form_is_a_number(written):
    assert load_recipe(written(GOOD + "  learning_rate: 3e-5\n")).training.learning_rate == 3e-5


def test_column_numbers_stay_numbers(written):
    assert load_recipe(written()).data.columns == {"tokens": "tokens", "tags": 3}


def test_a_key_that_stands_twice_is_an_error_with_its_place(written):
    assert "mine.yaml:14:3: this is not valid YAML: key 'epochs' stands twice." in faults(
        written(GOOD + "  epochs: 3\n")
    )


@pytest.mark.parametrize(
    "text",
    [
        "a: [1",
        "a: {{ b }}",
        "? [a, b]\n: c",
        "a: b: c",
        "a: !!python/none x",
        "a: \x07",
        "a: &b [*b]",
    ],
)
def test_broken_yaml_is_the_users_error(text):
    with pytest.raises(UserError, match=r"^here.*: this is not valid YAML: "):
        read_yaml(text, "here")


def test_the_line_of_every_key_and_item_is_known():
    _, lines = read_yaml("a: 1\nb:\n  - x\n  - c: 2\n", "here")
    assert lines == {(): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4}


# --- overrides ------------------------------------------------------------------------------------


def test_an_override_is_split_at_its_first_equals_sign(written):
    assert load_recipe(written(), ["description=a=b=c"]).description == "a=b=c"


def test_an_override_is_read_as_yaml(written):
    recipe = load_recipe(
        written(), ["training.learning_rate=1e-4", "data.revision=null", "task.types=[no, 'on']"]
    )
    assert recipe.training.learning_rate == 1e-4
    assert recipe.data.revision is None
    assert recipe.task.types == ("no", "on")


def test_an_override_replaces_a_whole_list(written):
    recipe = load_recipe(written(), ["strategies=[{name: lora, rank: 4}]"])
    assert [(s.name, s.rank) for s in recipe.strategies] == [("lora", 4)]


def test_an_override_reaches_into_a_list_by_number(written):
    text = GOOD.replace("name: full", "name: lora")
    assert load_recipe(written(text), ["strategies.0.rank=7"]).strategies[0].rank == 7


def test_an_override_makes_nested_keys_that_were_not_there(written):
    recipe = load_recipe(written(), ["training.arguments.max_grad_norm=0.5", "publish.license=mit"])
    assert recipe.training.arguments == {"max_grad_norm": 0.5}
    assert recipe.publish.license == "mit"


def test_later_overrides_win(written):
    recipe = load_recipe(written(), ["training.epochs=5", "training={epochs: 6}"])
    assert recipe.training.epochs == 6


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("training.epochs", "is not an override; write key.path=value"),
        ("=3", "is not an override; write key.path=value"),
        ("strategies.1.name=lora", "strategies.1.name: the list has the items 0 to 0, not 1"),
        ("strategies.name=lora", "the list has the items 0 to 0, not 'name'"),
        ("training.epochs.x=1", "training.epochs.x: 2 is a single value"),
        ("task.types=[PER", "this is not valid YAML"),
        ("training.epoch=1", "command line: training.epoch: unknown key. "
                             "Did you mean 'epochs'"),
        ("training.epochs=none", "command line: training.epochs: "),
        ("strategies=[{name: lora, rnk: 1}]", "command line: strategies.0.lora.rnk"),
    ],
)  # fmt: skip
def test_a_bad_override_is_explained(written, override, says):
    assert says in faults(written(), override)


def test_an_override_leaves_the_lines_of_other_faults_alone(written):
    message = faults(written(GOOD.replace("epochs: 2", "epoch: 2")), "training.seed=-1")
    assert "mine.yaml:13: training.epoch: " in message
    assert "command line: training.seed: " in message


# --- the way back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_a_shipped_recipe_written_out_reads_back_equal(name, tmp_path):
    recipe = load_recipe(str(shipped_recipes()[name]))
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe.as_yaml(), encoding="utf-8")
    assert load_recipe(str(tmp_path)) == recipe


tricky = st.sampled_from(
    [
        "5e-5",
        "1e3",
        "0o17",
        "0089",
        "no",
        "on",
        "~",
        "null",
        "12:30",
        "",
        " ",
        "#",
        "a: b",
        "-",
        "=",
    ]
)
texts = st.one_of(
    tricky, st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.text("\n\t é")
)


@given(
    description=texts,
    types=st.lists(texts, min_size=1, max_size=4, unique=True),
    configuration=st.dictionaries(
        texts, st.one_of(texts, st.integers(), st.floats(allow_nan=False, allow_infinity=False))
    ),
    rate=st.floats(1e-12, 10),
)
@settings(deadline=None)
def test_any_recipe_written_out_reads_back_equal(description, types, configuration, rate):
    value = yaml.safe_load(GOOD)
    value["description"] = description
    value["task"]["types"] = types
    arguments = {"accelerator_config": configuration}
    value["training"] = {"arguments": arguments, "learning_rate": rate}
    recipe = AnyRecipe.model_validate(value)
    again, _ = read_yaml(recipe.as_yaml(), "recipe.yaml")
    assert AnyRecipe.model_validate(again) == recipe


def test_a_recipe_cannot_be_changed(written):
    recipe = load_recipe(written())
    with pytest.raises(ValueError, match="frozen"):
        recipe.training.epochs = 9


def test_the_json_schema_knows_every_key():
    schema = json.loads(json.dumps(AnyRecipe.model_json_schema()))
    assert set(schema["required"]) == {"name", "task", "data", "model"}
    assert schema["additionalProperties"] is False
    assert {"NerTask", "ClassificationTask", "Lora", "AnyData"} <= set(schema["$defs"])
