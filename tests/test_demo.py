"""`nlpt demo`: the command itself, asked over HTTP as its page asks, and (slow) in a browser."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import signal
import socket
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("gradio", reason="the extra demo is not installed")

from served import Served, served

from nlp_transfer import Predictor, UserError, demo, write_space
from nlp_transfer.report.escaping import visible
from nlp_transfer.serving import requirements

Command = Callable[..., tuple[int, str, str]]

SECRET = "a-token-that-nobody-guesses"
SIGNED = {"Authorization": f"Basic {base64.b64encode(f'me:{SECRET}'.encode()).decode()}"}
TEXT = "Ada Lovelace wrote to Paris and New York ."
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)> Ada Lovelace left Rome ."
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Demo(Served):
    """What the page of `nlpt demo` answers, to one who knows the token."""

    headers = SIGNED

    def join(self, name: str, *data: Any) -> tuple[int, Any]:
        """Ask for an answer; return the status, and what is said of it."""
        config = json.loads(self.ask("GET", "/config")[2])
        number = next(d["id"] for d in config["dependencies"] if d["api_name"] == name)
        asked = {"data": data, "fn_index": number, "session_hash": "me"}
        headers = {**SIGNED, "Content-Type": "application/json"}
        status, _, said = self.ask(
            "POST", "/gradio_api/queue/join", json.dumps(asked).encode(), headers
        )
        return status, json.loads(said)

    def answer(self, name: str, *data: Any) -> dict[str, Any]:
        """Ask for an answer, and wait for it."""
        assert self.join(name, *data)[0] == 200
        stream = self.ask("GET", "/gradio_api/queue/data?session_hash=me")[2].decode()
        lines = [line.removeprefix("data: ") for line in stream.splitlines() if line]
        done = [json.loads(line) for line in lines]
        return next(said["output"] for said in done if said["msg"] == "process_completed")

    def upload(self, name: str, content: bytes) -> tuple[int, Any]:
        """Send a file as a form does."""
        head = f'--xx\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        headers = {**SIGNED, "Content-Type": "multipart/form-data; boundary=xx"}
        body = head.encode() + content + b"\r\n--xx--\r\n"
        status, _, said = self.ask("POST", "/gradio_api/upload", body, headers)
        return status, json.loads(said) if status == 200 else said.decode()

    def predict(self, name: str, content: bytes) -> dict[str, Any]:
        """Send a file, and let it be predicted."""
        status, (path,) = self.upload(name, content)
        assert status == 200
        return self.answer("file", {"path": path, "meta": {"_type": "gradio.FileData"}})


@contextlib.contextmanager
def shown(folder: Path, *arguments: object) -> Iterator[Demo]:
    """Start the command on a free port; SIGTERM ends it, in order."""
    with served(Demo, folder, "demo", *arguments, DEMO_TOKEN=SECRET) as demo:
        yield demo
    assert demo.process.returncode == 0, demo.log.read_text("utf-8")


@pytest.fixture(scope="module")
def page(
    trained_ner: Path, trained_classifier: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Demo]:
    """Show a model for NER beside one for classification, to who knows a token."""
    folder = tmp_path_factory.mktemp("page")
    models = (f"names={trained_ner}", f"wishes={trained_classifier}")
    with shown(folder, *models, "--token-env", "DEMO_TOKEN") as one:
        yield one


@pytest.fixture(scope="module")
def found(trained_ner: Path) -> Callable[[str], dict[str, Any]]:
    """Return a function that predicts entities, as `nlpt predict` does."""
    predictor = Predictor.from_run(trained_ner)
    return lambda text: next(predictor([text]))


def refused(nlpt: Command, *arguments: object) -> str:
    """Run the command, which must refuse, in one message; return that."""
    code, out, err = nlpt("demo", *arguments)
    assert (code, out) == (2, ""), err
    assert err.startswith("error: ")
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("text", "read"),
    [
        (TEXT, TEXT),
        (SCRIPT, SCRIPT),
        ("turned \u202e round \x1b Ada 😀", "turned \\u202e round \\x1b Ada 😀"),
    ],
)
def test_entities_are_drawn_with_their_scores_and_classes_as_bars(page, found, text, read):
    entities, classes = page.answer("text", text, "")["data"]
    expected = found(text)["entities"]
    parts = entities["value"]
    drawn = [(part["token"], part["class_or_confidence"]) for part in parts]
    assert [part for part in drawn if part[1]] == [
        (visible(entity["text"]), f"{entity['type']} {entity['score']:.2f}") for entity in expected
    ]
    assert "".join(token for token, _ in drawn) == read
    assert len(classes["value"]["confidences"]) == 3
    assert sum(bar["confidence"] for bar in classes["value"]["confidences"]) == pytest.approx(1)
    assert classes["label"].startswith("wishes: ")
    assert entities["label"].startswith("names: ")


def test_a_file_comes_back_as_nlpt_predict_writes_it_once_a_model(
    page, nlpt, tmp_path, trained_ner, trained_classifier
):
    lines = [{"id": 7, "text": TEXT}, {"id": 8, "text": ""}, {"id": 9, "text": SCRIPT}]
    texts = tmp_path / "some texts.jsonl"
    texts.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    (files,) = page.predict(texts.name, texts.read_bytes())["data"]
    assert [file["orig_name"] for file in files] == [
        "some texts.names.jsonl",
        "some texts.wishes.jsonl",
    ]
    for file, run in zip(files, (trained_ner, trained_classifier), strict=True):
        status, headers, content = page.ask(
            "GET", f"/gradio_api/file={urllib.parse.quote(file['path'])}"
        )
        assert status == 200
        assert "sandbox" in headers["content-security-policy"]
        code, out, err = nlpt("predict", run, texts)
        assert code == 0, err
        assert [json.loads(line) for line in content.splitlines()] == [
            json.loads(line) for line in out.splitlines()
        ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "There is no text yet"),
        (" \n", "There is no text yet"),
        ("nul \0", "NUL character"),
        ("half \ud83d Ada", "half a character"),
        ("long " * 5_000, "25,000 characters are too many. At most 20,000"),
    ],
)
def test_a_text_that_cannot_be_predicted_is_refused_in_one_message(page, text, said):
    assert said in page.answer("text", text, "")["error"]


def test_a_text_of_a_megabyte_is_refused_before_it_is_read_to_its_end(page):
    status, said = page.join("text", "x" * 2**21, "")
    assert (status, said["error"][:22]) == (413, "The body is too large.")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.txt", b"", "holds no text"),
        ("latin.txt", "Zo\xeb left".encode("latin-1"), "latin.txt:1: byte 0xEB"),
        ("nul.txt", b"Ada\0left\n", "NUL byte"),
        ("broken.jsonl", b'{"text": "Ada"}\n{"text": ', "broken.jsonl:2"),
        ("table.parquet", b"PAR1" + bytes(100), "parquet"),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "picture.png"),
        ("bomb.txt.gz", None, "bomb"),
        ("many.txt", b"Ada left .\n" * 1_001, "At most 1,000 texts"),
        ("long.txt", b"Ada " * 6_000, "24,000 characters are too many"),
    ],
)
def test_a_file_that_cannot_be_predicted_is_refused_by_its_name(page, name, content, said):
    if content is None:
        import gzip

        content = gzip.compress(bytes(b" " * 2**25))
    error = page.predict(name, content)["error"]
    assert said in error
    assert "/" not in error.partition(name)[0]


def test_a_file_that_is_too_large_is_not_kept(page):
    assert page.upload("large.txt", b"Ada left .\n" * 95_000)[0] == 413
    assert page.upload("larger.txt", b"Ada left .\n" * 190_000)[0] == 413
    assert "no file yet" in page.answer("file", None)["error"]


PATHS = ["/etc/passwd", "/tmp", "recipe.yaml", "../report.html", "http://127.0.0.1/", "https://a.b",
         "/tmp/%00", "/" + "a" * 5_000]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_nothing_else_of_the_disk_or_of_any_network_can_be_read(page, trained_ner, path):
    for prefix in ("file=", "proxy=", "file/", "stream/"):
        assert page.ask("GET", f"/gradio_api/{prefix}{path}")[0] == 404
    for given in ({"path": path, "meta": {"_type": "gradio.FileData"}}, [{"path": path}]):
        assert page.join("file", given)[0] == 403
        assert page.join("text", given, "")[0] == 403


@pytest.mark.parametrize(
    "path",
    ["/static/../../../etc/passwd", "/assets/%2e%2e/%2e%2e/index.html", "/report/0", "/report/3",
     "/report/..%2frecipe.yaml", "/docs", "/openapi.json", "/monitoring", "/gradio_api/deep_link",
     "/gradio_api/vibe-edit/", "/login"],
)  # fmt: skip
def test_a_path_that_the_page_does_not_use_is_none(page, path):
    assert page.ask("GET", path)[0] in (403, 404)
    assert page.ask("POST", path, b"{}", {**SIGNED, "Content-Type": "application/json"})[0] in (
        404,
        405,
    )


def test_the_reports_of_the_runs_are_linked_and_alone_are_handed_out(
    page, trained_ner, trained_classifier
):
    links = page.ask("GET", "/config")[2].decode()
    for number, run in enumerate((trained_ner, trained_classifier), start=1):
        assert f"(/report/{number})" in links
        status, headers, report = page.ask("GET", f"/report/{number}")
        assert (status, report) == (200, (run / "report.html").read_bytes())
        assert headers["content-security-policy"].startswith("sandbox allow-scripts")


def test_nobody_sees_anything_without_the_token(page):
    for given in ({}, {"Authorization": f"Bearer {SECRET}"}, {"Authorization": "Basic bWU6eA=="}):
        for path in ("/", "/config", "/report/1", "/assets/x.js", "/nowhere"):
            status, headers, _ = page.ask("GET", path, headers=given)
            assert status == 401
            assert headers["www-authenticate"].startswith("Basic")
    status, headers, _ = page.ask("GET", "/")
    assert status == 200
    assert "default-src 'self'" in headers["content-security-policy"]


def test_the_log_has_a_line_at_the_start_and_holds_no_text(page):
    page.answer("text", "a text that nobody logs", "")
    said = page.log.read_text("utf-8")
    assert "names, wishes: try it on http://127.0.0.1:" in said
    assert "nobody logs" not in said
    assert SECRET not in said


def test_what_cannot_be_shown_is_refused_before_anything_is_loaded(
    nlpt, trained_ner, tmp_path, monkeypatch
):
    unfinished, empty = tmp_path / "unfinished", tmp_path / "empty"
    empty.mkdir()
    unfinished.mkdir()
    shutil.copy(trained_ner / "recipe.yaml", unfinished)
    assert "is not finished" in refused(nlpt, unfinished)
    assert "neither a model" in refused(nlpt, empty)
    assert "two side by side" in refused(nlpt, "a=x", "b=x", "c=x")
    assert "would both be called" in refused(nlpt, trained_ner, trained_ner)
    assert "--token-env NAME" in refused(nlpt, trained_ner, "--host", "0.0.0.0")
    assert "is not set" in refused(nlpt, trained_ner, "--token-env", "NO_SUCH_TOKEN")
    assert "Say --space FOLDER" in refused(nlpt, trained_ner, "--model", "me/x")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"{port} is in use" in refused(nlpt, trained_ner, "--port", port)
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        patch.setenv("RANK", "0")
        assert "runs in one process" in refused(nlpt, trained_ner)
    monkeypatch.setattr(requirements, "find_spec", lambda _: None)
    assert "pip install 'nlp-transfer[demo]'" in refused(nlpt, trained_ner)
    assert "pip install 'nlp-transfer[demo]'" in refused(nlpt, trained_ner, "--space", "space")
    with pytest.raises(UserError, match="needs gradio"):
        demo(trained_ner)


def front_matter(folder: Path) -> dict[str, Any]:
    """Read what the Hub reads of a README."""
    _, head, _ = (folder / "README.md").read_text("utf-8").split("---\n", 2)
    return yaml.safe_load(head)


def test_a_space_holds_a_copy_that_answers_as_the_run_does(nlpt, trained_ner, found, tmp_path):
    space = tmp_path / "space"
    code, out, err = nlpt("demo", f'na"me={trained_ner}', "--space", space)
    assert (code, out) == (0, ""), err
    told = front_matter(space)
    assert (told["sdk"], told["app_file"], told["title"]) == ("gradio", "app.py", 'na"me')
    assert "models" not in told
    assert (space / "requirements.txt").read_text() == "nlp-transfer[demo]==0.1.0\n"
    app = (space / "app.py").read_text("utf-8")
    compile(app, "app.py", "exec")
    assert '"na\\"me=models/1",' in app
    assert next(Predictor.from_run(space / "models" / "1")([TEXT])) == found(TEXT)
    assert not (space / "models" / "1" / "report.html").exists()
    assert str(trained_ner.parent) not in "".join(
        file.read_text("utf-8", errors="ignore") for file in space.rglob("*") if file.is_file()
    )
    assert "not empty" in refused(nlpt, trained_ner, "--space", space)


def test_a_space_names_what_was_published(nlpt, trained_ner, trained_classifier, tmp_path):
    space = tmp_path / "space"
    published = ("--model", "me/names", "--model", "me/wishes")
    code, _, err = nlpt(
        "demo", f"a={trained_ner}", f"b={trained_classifier}", "--space", space, *published
    )
    assert code == 0, err
    assert front_matter(space)["models"] == ["me/names", "me/wishes"]
    assert sorted(file.name for file in space.iterdir()) == [
        "README.md",
        "app.py",
        "requirements.txt",
    ]
    app = (space / "app.py").read_text("utf-8")
    assert '"a=me/names",\n    "b=me/wishes",' in app
    assert "trust" not in app


def test_what_would_be_no_space_is_refused_and_nothing_is_written(
    nlpt, trained_ner, tiny_recipe, trained, tmp_path
):
    unfinished, space = tmp_path / "unfinished", tmp_path / "space"
    unfinished.mkdir()
    for name in ("recipe.yaml", "environment.json", "data.json"):
        shutil.copy(trained_ner / name, unfinished)
    assert "is not finished" in refused(nlpt, unfinished, "--space", space)
    assert "holds no run" in refused(nlpt, tmp_path / "nothing", "--space", space)
    pair = ("--model", "me/a", "--model", "me/b")
    assert "2 model(s) for 1 run(s)" in refused(nlpt, trained_ner, "--space", space, *pair)
    assert "has no owner" in refused(nlpt, trained_ner, "--space", space, "--model", "name")
    assert "--model" in refused(nlpt, trained_ner, "--space", space, "--model", "../x y")
    adapter = trained(tiny_recipe(strategy={"name": "lora", "merge": False}))
    assert "holds an adapter" in refused(nlpt, adapter, "--space", space)
    assert not space.exists()
    with pytest.raises(UserError, match="not finished"):
        write_space(unfinished, folder=space)
    assert list(tmp_path.glob(".space*")) == []


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Start a browser without a window."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("there is no chromium here")
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=CHROMIUM)


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1400])
def test_in_a_browser_the_page_answers_fits_and_fetches_nothing_from_elsewhere(
    page, chromium, width, tmp_path
):
    complaints: list[str] = []
    asked: list[str] = []
    home = f"http://127.0.0.1:{page.port}"
    credentials = {"username": "me", "password": SECRET}
    tab = chromium.new_page(viewport={"width": width, "height": 900}, http_credentials=credentials)
    tab.set_default_timeout(300_000)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(home)
    tab.get_by_label("Text", exact=True).fill(SCRIPT)
    tab.get_by_role("button", name="Predict", exact=True).click()
    tab.get_by_text("wishes: ").first.wait_for()
    assert "onerror" in tab.inner_text("main")
    assert tab.locator("main script, main img").count() == 0
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    tab.get_by_label("Text", exact=True).fill("")
    tab.get_by_role("button", name="Predict", exact=True).click()
    tab.get_by_text("There is no text yet").first.wait_for()
    tab.get_by_test_id("toast-close").click()
    tab.get_by_role("tab", name="File").click()
    marked = tmp_path / "marked.jsonl"
    marked.write_text('{"text": ["<img src=x onerror=alert(3)>"]}\n', "utf-8")
    tab.locator("input[type=file]").first.set_input_files(marked)
    tab.get_by_text("marked.jsonl").first.wait_for()
    tab.get_by_role("button", name="Predict the file").click()
    tab.get_by_text("marked.jsonl:1").first.wait_for()
    assert tab.get_by_test_id("toast-text").locator("img").count() == 0
    tab.get_by_test_id("toast-close").click()
    tab.get_by_role("button", name="Clear").first.click()
    texts = tmp_path / "texts.txt"
    texts.write_text(f"{TEXT}\n{SCRIPT}\n", "utf-8")
    tab.locator("input[type=file]").first.set_input_files(texts)
    tab.get_by_text("texts.txt").first.wait_for()
    tab.get_by_role("button", name="Predict the file").click()
    tab.get_by_text("texts.names").first.wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with tab.expect_popup() as popup:
        tab.get_by_role("link", name="Report of names").click()
    popup.value.get_by_text("Entities").first.wait_for()
    assert [url for url in asked if not url.startswith((home, "data:", "blob:"))] == []
    assert complaints == []


def test_a_model_of_pairs_is_asked_with_two_texts_and_ctrl_c_ends_it(
    trained, tiny_recipe, tmp_path
):
    source = tmp_path / "pairs"
    source.mkdir()
    rows = ["good film,good movie,same", "good film,bad movie,other"] * 8
    for split in ("train", "valid", "test"):
        (source / f"{split}.csv").write_text("\n".join(["premise,hypothesis,label", *rows]))
    columns = "data.columns={text: premise, text_pair: hypothesis}"
    run = trained(tiny_recipe("classification", source=source, training={"epochs": 1}), columns)
    with shown(tmp_path, run) as one:
        (classes,) = one.answer("text", "good film", "bad movie")["data"]
        scores = next(Predictor.from_run(run)([{"text": "good film", "text_pair": "bad movie"}]))
        assert {
            bar["label"]: pytest.approx(bar["confidence"], abs=1e-4)
            for bar in classes["value"]["confidences"]
        } == scores["scores"]
        one.process.send_signal(signal.SIGINT)
        assert one.process.wait(60) == 0
        assert "stopped by SIGINT" in one.log.read_text("utf-8")
