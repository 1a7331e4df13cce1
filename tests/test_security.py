"""What strangers hand over runs no code, and nothing asks whether it may."""

from __future__ import annotations

import ast
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from damaging import made_by_hand
from interrupting import interrupted

from nlp_transfer import Predictor, finetune, load_recipe
from nlp_transfer.manifest import write_manifest

pytestmark = pytest.mark.usefixtures("one_thread")

PACKAGE = Path(__file__).parent.parent / "nlp_transfer"
BUILT_IN = {"eval", "exec", "__import__", "compile"}
READERS = {
    "from_pretrained", "from_config", "torch.load", "load_peft_weights", "hf_hub_download",
    "pickle.load", "pickle.loads", "joblib.load", "yaml.load", "yaml.unsafe_load", "read_pickle",
    "load_from_disk", "get_class_from_dynamic_module", "aoti_load_package",
}  # fmt: skip
ALLOWED = {
    ("models/loading.py", "from_pretrained"),
    ("models/loading.py", "from_config"),  # runs code of a checkpoint only where it is trusted
    ("models/loading.py", "load_peft_weights"),  # safetensors, or tensors alone
    ("data/sources/saved.py", "load_from_disk"),  # Arrow tables and JSON
    ("inference/compiled_model.py", "aoti_load_package"),  # what this user compiled here
    ("publish/destination.py", "hf_hub_download"),  # JSON of a bounded size
}
ONE_STEP = {"epochs": 1, "arguments": {"max_steps": 1}}


def _readers(module: Path) -> Iterator[str]:
    """Yield what a module names of all that could read code."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        if isinstance(node, ast.Name):
            yield from {node.id} & (BUILT_IN | READERS)
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            yield from {node.attr, f"{owner}.{node.attr}"} & READERS


def test_one_module_reads_models_and_nothing_else_reads_what_could_hold_code() -> None:
    found = {
        (module.relative_to(PACKAGE).as_posix(), name)
        for module in PACKAGE.rglob("*.py")
        for name in _readers(module)
    }
    assert found == ALLOWED


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, checkpoint: Callable[..., Path],
    data_folder: Callable[[str], Path],
) -> Path:  # fmt: skip
    """Return a finished run, which tests must not change."""
    from tiny import write_recipe

    folder = tmp_path_factory.mktemp("run")
    recipe = write_recipe(
        folder / "tiny.yaml", task="ner", data=data_folder("ner"), checkpoint=checkpoint("bert"),
        strategy={"name": "lora", "rank": 2}, training={"precision": "fp32", **ONE_STEP},
    )  # fmt: skip
    finetune(load_recipe(str(recipe)), output=folder / "run")
    return folder / "run"


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """Return what a stranger's code makes when it runs."""
    return tmp_path / "proof"


def _poison(model: Path, proof: Path, *, repository: str = "") -> None:
    """Let a model folder bring code for everything that transformers would run it for."""
    code = f"import os\nos.mkdir({str(proof)!r})\n"
    (model / "evil.py").write_text(code, encoding="utf-8")
    config = json.loads((model / "config.json").read_text("utf-8"))
    classes = ("Config", "Model", "ModelForTokenClassification", "ModelForMaskedLM")
    config["auto_map"] = {f"Auto{name}": f"{repository}evil.{name}" for name in classes}
    config["model_type"] = "evil"
    (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
    file = model / "tokenizer_config.json"
    if file.is_file():
        tokenizer = json.loads(file.read_text("utf-8"))
        name = f"{repository}evil.Tokenizer"
        tokenizer |= {"auto_map": {"AutoTokenizer": [name, name]}, "tokenizer_class": "Tokenizer"}
        file.write_text(json.dumps(tokenizer), encoding="utf-8")


COMMANDS: dict[str, Callable[[Path, Path, Path], list[Any]]] = {
    "predict": lambda run, _, __: ["predict", run, "-"],
    "evaluate": lambda run, recipe, _: ["evaluate", run, "--recipe", recipe],
    "export": lambda run, recipe, _: ["export", run, "--recipe", recipe],
    "merge": lambda run, _, out: ["merge", run, "-o", out],
    "pretrain": lambda run, recipe, out: [
        "pretrain", "--recipe", recipe, f"model.checkpoint={run}", "--output", out,
    ],
    "pretrain that trusts": lambda run, recipe, out: [
        "pretrain", "--recipe", recipe, f"model.checkpoint={run}", "--output", out,
        "model.trust_remote_code=true",
    ],
    "finetune": lambda run, recipe, out: [
        "finetune", "--recipe", recipe, f"model.checkpoint={run}", "--output", out,
    ],
    "base of adapters": lambda run, _, __: ["predict", run, "-", "--adapter", run / "adapter"],
}  # fmt: skip


@pytest.mark.parametrize("repository", ["", "stranger/code--"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_model_that_brings_code_is_refused_and_nothing_is_asked(
    command: str, repository: str, run: Path, proof: Path, tmp_path: Path, nlpt: Any,
    tiny_recipe: Any,
) -> None:  # fmt: skip
    copy = made_by_hand(shutil.copytree(run, tmp_path / "copy"))
    adapter = json.loads((copy / "adapter" / "adapter_config.json").read_text("utf-8"))
    adapter["base_model_name_or_path"] = str(copy / "model")
    (copy / "adapter" / "adapter_config.json").write_text(json.dumps(adapter), encoding="utf-8")
    _poison(copy / "model", proof, repository=repository)
    out = tmp_path / "out"
    code, printed, err = nlpt(*COMMANDS[command](copy, tiny_recipe(), out), stdin="yes\n" * 50)
    assert (code, printed) == (2, "")
    last = err.splitlines()[-1]  # behind what is being done
    assert last.startswith("error: ")
    assert "needs code of its own" in last
    assert "security.md" in last
    assert "Traceback" not in err
    assert not proof.exists()
    assert not out.exists()


def test_the_base_of_an_adapter_brings_no_code(
    run: Path, proof: Path, tmp_path: Path, nlpt: Any, checkpoint: Any
) -> None:
    base = shutil.copytree(checkpoint("bert"), tmp_path / "base")
    copy = made_by_hand(shutil.copytree(run / "adapter", tmp_path / "adapter"))
    adapter = json.loads((copy / "adapter_config.json").read_text("utf-8"))
    changed = adapter | {"base_model_name_or_path": str(base)}
    (copy / "adapter_config.json").write_text(json.dumps(changed), encoding="utf-8")
    assert nlpt("predict", copy, "-", stdin="yes\n")[0] == 0
    _poison(base, proof)
    own = json.loads((copy / "model_config.json").read_text("utf-8"))
    (base / "config.json").write_text(json.dumps(own | {"architectures": None}), encoding="utf-8")
    assert nlpt("predict", copy, "-", stdin="yes\n" * 9)[0] == 0, "its configuration is not read"
    megatron = changed | {"megatron_config": {"a": 1}, "megatron_core": "evil"}
    (copy / "adapter_config.json").write_text(json.dumps(megatron), encoding="utf-8")
    code, _, err = nlpt("predict", copy, "-", stdin="yes\n" * 9)
    assert (code, len(err.splitlines())) == (2, 1)
    assert not proof.exists()


def test_a_kernel_that_a_configuration_names_is_not_fetched(run: Path, tmp_path: Path) -> None:
    copy = made_by_hand(shutil.copytree(run, tmp_path / "copy"))
    config = json.loads((copy / "model" / "config.json").read_text("utf-8"))
    config |= {"attn_implementation": "stranger/kernel"}
    (copy / "model" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    loaded = Predictor.from_run(copy).loaded.model
    assert "stranger" not in str(loaded.config._attn_implementation)


@pytest.fixture
def module_run(run: Path, tmp_path: Path, proof: Path, nlpt: Any) -> Path:
    """Return a run whose recipe names a module for its data, which lies in the working folder."""
    copy = made_by_hand(shutil.copytree(run, tmp_path / "copy"))
    recipe = (copy / "recipe.yaml").read_text("utf-8")
    source = next(line for line in recipe.splitlines() if line.startswith("  source: "))
    recipe = recipe.replace(source, "  source: strangers_data:load")
    (copy / "recipe.yaml").write_text(recipe, encoding="utf-8")
    rows = [{"tokens": ["Ada", "wrote", "."], "tags": ["B-PER", "O", "O"]}] * 3
    Path("strangers_data.py").write_text(
        f"import os\nos.makedirs({str(proof)!r}, exist_ok=True)\n"
        f"def load():\n    return dict.fromkeys(('train', 'validation', 'test'), {rows!r})\n",
        encoding="utf-8",
    )
    return copy


def test_a_recipe_in_a_run_folder_imports_no_module(
    module_run: Path, proof: Path, tmp_path: Path, nlpt: Any
) -> None:
    run, out, yaml = module_run, tmp_path / "out", module_run / "recipe.yaml"
    for command in (
        ["export", run],
        ["export", run / "model", "--recipe", run, "-o", out],
        ["evaluate", run, "--recipe", run],
        ["evaluate", run, "--recipe", yaml],
        ["evaluate", run, "--recipe", run, "data.splits.test=validation"],
        ["merge", run, run, "--how", "greedy", "--recipe", run, "-o", out],
        ["inspect", "--recipe", run],
        ["pretrain", "--recipe", run, "--output", out],
    ):
        code, printed, err = nlpt(*command, stdin="yes\n" * 9)
        assert (code, printed) == (2, "")
        assert "'strangers_data:load' is code" in err.splitlines()[-1]
        assert not proof.exists()
        assert not out.exists()


def test_a_recipe_that_the_user_names_may_import_its_module(
    module_run: Path, proof: Path, nlpt: Any
) -> None:
    shutil.copy(module_run / "recipe.yaml", "mine.yaml")  # what the message says to do
    assert nlpt("evaluate", module_run, "--recipe", "mine.yaml")[0] == 0
    assert proof.exists()
    source = "data.source=strangers_data:load"
    assert nlpt("evaluate", module_run, "--recipe", module_run, source)[0] == 0


class _Code:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.proof),)


@pytest.fixture(scope="module")
def stopped(
    tmp_path_factory: pytest.TempPathFactory, checkpoint: Callable[..., Path],
    data_folder: Callable[[str], Path],
) -> tuple[Path, Path]:  # fmt: skip
    """Return the recipe and the folder of a run that ended after its second step of three."""
    from tiny import write_recipe

    folder = tmp_path_factory.mktemp("stopped")
    every_step = {"save_strategy": "steps", "save_steps": 1, "eval_strategy": "steps",
                  "eval_steps": 1, "max_steps": 3}  # fmt: skip
    recipe = write_recipe(
        folder / "tiny.yaml", task="ner", data=data_folder("ner"), checkpoint=checkpoint("bert"),
        strategy={"name": "frozen", "head": "trained"},
        training={"epochs": 2, "arguments": every_step},
    )  # fmt: skip
    with interrupted(at_step=2), pytest.raises(KeyboardInterrupt):
        finetune(load_recipe(str(recipe)), output=folder / "run")
    return recipe, folder / "run"


@pytest.mark.parametrize(
    "file", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"]
)
def test_going_on_with_a_copied_run_unpickles_no_code(
    file: str, proof: Path, tmp_path: Path, stopped: tuple[Path, Path], nlpt: Any
) -> None:
    recipe, there = stopped
    run = shutil.copytree(there, tmp_path / "run")
    hostile = run / "checkpoints" / "checkpoint-2"
    torch.save({"x": _Code(proof)}, hostile / file)
    write_manifest(hostile)  # who copies a run of his own has one that fits
    code, _, err = nlpt("finetune", "--recipe", recipe, "--output", run)
    assert not proof.exists()
    if file == "training_args.bin":  # which is not read
        assert code == 0
        return
    assert code == 2
    assert err.splitlines()[-1].startswith("error: --output: the state of training in ")
    assert "--fresh" in err
    if file == "optimizer.pt":  # the way that the message names
        shutil.rmtree(hostile)
        assert nlpt("finetune", "--recipe", recipe, "--output", run)[0] == 0
