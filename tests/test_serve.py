"""`nlpt serve`: the command itself, asked over HTTP by clients of every kind."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")

from served import Served, served

from nlp_transfer import dockerfile
from nlp_transfer.errors import UserError
from nlp_transfer.serving import requirements
from nlp_transfer.serving.access import listen

Command = Callable[..., tuple[int, str, str]]

SECRET = "a-token-that-nobody-guesses"
JSON = {"Content-Type": "application/json"}
TEXTS = ["Ada Lovelace wrote to Paris.", "Zoë met in 1999 with United Nations .", "", "Li sued."]
ITEMS = [
    *TEXTS,
    {"id": 7, "text": "Noor left São Paulo .", "from": ["a", {"b": 1.5}]},
    {"tokens": ["Grace", "left", "Rome", "\ufe0f"]},
    {"sentence": "Alan praised Acme Corp. again", "document": "d"},
]


class Server(Served):
    """What `nlpt serve` answers."""

    def post(self, asked: Any, **headers: str) -> tuple[int, Any]:
        """Send JSON to /predict; return the status, and what is answered."""
        body = json.dumps(asked).encode()
        status, _, answer = self.ask("POST", "/predict", body, {**JSON, **headers})
        return status, json.loads(answer)

    def send(self, *parts: bytes, pause: float = 0) -> bytes:
        """Send bytes as they are; return all that comes back until the server hangs up."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as raw:
            for part in parts:
                with contextlib.suppress(ConnectionError):
                    raw.sendall(part)
                time.sleep(pause)
            heard = b""
            with contextlib.suppress(ConnectionError):
                while more := raw.recv(65536):
                    heard += more
            return heard

    def memory(self) -> float:
        """Return the resident memory, in MB."""
        page = self.ask("GET", "/metrics")[2].decode()
        line = next(line for line in page.splitlines() if line.startswith("process_resident"))
        return float(line.split()[1]) / 1e6


serving = partial(served, Server)


@pytest.fixture(scope="module")
def server(trained_ner: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server of a tiny model with narrow limits."""
    limits = ("--max-body", 100_000, "--max-texts", 500, "--max-characters", 2_000)
    times = ("--client-timeout", 1, "--max-waiting", 20_000)
    with serving(tmp_path_factory.mktemp("server"), "serve", trained_ner, *limits, *times) as one:
        yield one


def rounded(value: Any) -> Any:
    """Round scores: others in the same batch change their last digits."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, list) else value


def predicted(nlpt: Command, items: Sequence[Any], *model: object) -> list[Any]:
    """Predict by `nlpt predict`."""
    lines = [json.dumps(item if isinstance(item, dict) else {"text": item}) for item in items]
    code, out, err = nlpt("predict", *model, "-", stdin="\n".join(lines))
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


def test_it_answers_what_predict_writes_in_the_same_order(server, nlpt, trained_ner):
    expected = predicted(nlpt, ITEMS, trained_ner)
    status, answer = server.post({"texts": ITEMS})
    assert status == 200
    assert answer["model"] == "run"
    assert rounded(answer["results"]) == rounded(expected)
    assert list(answer["results"][4]) == list(expected[4])
    status, answer = server.post({"texts": [["Grace", "left", "Rome", "\ufe0f"]]})
    assert (status, rounded(answer["results"])) == (200, rounded(expected[5:6]))


def test_requests_that_are_computed_together_each_get_their_own(server, nlpt, trained_ner):
    expected = rounded(predicted(nlpt, TEXTS, trained_ner))

    def ask(number: int) -> bool:
        texts = [TEXTS[(number + i) % 4] for i in range(1 + number % 7)]
        status, answer = server.post({"texts": texts})
        wanted = [expected[(number + i) % 4] for i in range(1 + number % 7)]
        return status == 200 and rounded(answer["results"]) == wanted

    with ThreadPoolExecutor(16) as clients:
        assert all(clients.map(ask, range(100)))


def test_its_other_pages(server):
    assert server.ask("GET", "/health")[::2] == (200, b'{"status":"runs"}')
    assert server.ask("GET", "/ready")[::2] == (200, b'{"models":["run"]}')
    assert server.post({"texts": ["Li left."]})[0] == 200
    status, headers, page = server.ask("GET", "/metrics")
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/plain")
    assert b'nlpt_requests_total{path="/predict",status="200"}' in page
    assert b'nlpt_texts_total{model="run"}' in page
    assert b"Li left" not in page
    status, _, page = server.ask("GET", "/docs")
    assert status == 200
    assert b"/openapi.json" in page


def test_its_schema_states_its_limits_and_shows_an_answer(server):
    schema = json.loads(server.ask("GET", "/openapi.json")[2])
    assert set(schema["paths"]) == {"/predict", "/health", "/ready", "/metrics"}
    told = schema["paths"]["/predict"]["post"]
    asked = told["requestBody"]["content"]["application/json"]["schema"]
    texts = asked["properties"]["texts"]
    assert (texts["maxItems"], texts["items"]["anyOf"][0]["maxLength"]) == (500, 2_000)
    assert {"200", "400", "404", "408", "413", "415", "422", "503"} <= set(told["responses"])
    shown = told["responses"]["200"]["content"]["application/json"]["schema"]["example"]
    status, answer = server.post(asked["example"])
    assert status == 200
    assert rounded(answer) == rounded(shown)


def predict(body: bytes | str, *headers: str) -> bytes:
    """Write a request to /predict."""
    data = body.encode() if isinstance(body, str) else body
    head = [
        "POST /predict HTTP/1.1",
        "Host: here",
        f"Content-Length: {len(data)}",
        "Connection: close",
    ]
    said = headers or ("Content-Type: application/json",)
    return "\r\n".join([*head, *said, "", ""]).encode() + data


def texts(*items: object) -> bytes:
    """Write a request for items."""
    return predict(json.dumps({"texts": list(items)}))


HOSTILE: dict[str, tuple[bytes, int]] = {
    "10 MB": (predict(b'{"texts": ["' + b"a" * 10_000_000 + b'"]}'), 413),
    "10 MB in chunks": (
        b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/json\r\nConnection: close\r\n\r\n"
        + (b"10000\r\n" + b"a" * 65536 + b"\r\n") * 160
        + b"0\r\n\r\n",
        413,
    ),
    "a length that is a lie": (predict("{}").replace(b"Length: 2", b"Length: 99999999999999"), 413),
    "a length beyond numbers": (predict("{}").replace(b"Length: 2", b"Length: " + b"9" * 19), 413),
    "a length below 0": (predict("{}").replace(b"Length: 2", b"Length: -2"), 400),
    "two lengths": (predict("{}", "Content-Length: 3", "Content-Type: application/json"), 400),
    "a length and chunks": (
        predict("{}\r\n", "Transfer-Encoding: chunked", "Content-Type: application/json"),
        400,
    ),
    "chunks of a size that is none": (
        b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: application/json\r\n\r\nzz\r\n",
        400,
    ),
    "nothing": (predict(b""), 400),
    "not JSON": (predict("texts=Ada"), 400),
    "half of it": (predict('{"texts": ["Ada'), 400),
    "two of it": (predict('{"texts": ["Ada"]} {}'), 400),
    "UTF-16": (predict('{"texts": ["Ada"]}'.encode("utf-16")), 400),
    "broken UTF-8": (predict(b'{"texts": ["\xff\xfe"]}'), 400),
    "a byte order mark": (predict(b'\xef\xbb\xbf{"texts": ["Ada"]}'), 400),
    "a raw NUL": (predict(b'{"texts": ["A\0da"]}'), 400),
    "an escaped NUL": (texts("A\0da"), 422),
    "NUL as a word": (texts({"tokens": ["Ada", "\0"]}), 422),
    "half a surrogate": (predict(r'{"texts": ["\ud800"]}'), 400),
    "half a surrogate in a key": (predict(r'{"texts": [{"text": "a", "\udfff": 1}]}'), 400),
    "100,000 texts": (texts(*["a"] * 100_000), 413),
    "10,000 texts": (texts(*["a"] * 10_000), 422),
    "one text more than may be": (texts(*["a"] * 501), 422),
    "a character more than may be": (texts("a" * 2_001), 422),
    "words without characters": (texts({"tokens": [""] * 2_002}), 422),
    "a long second text": (texts({"text": "a", "text_pair": "b" * 2_001}), 422),
    "lists in lists": (predict("[" * 50_000), 400),
    "closed lists in lists": (predict("[" * 40_000 + "]" * 40_000), 400),
    "objects in one another": (
        predict('{"texts": [{"text": "a", "deep": ' + '{"a": ' * 900 + "1" + "}" * 900 + "}]}"),
        400,
    ),
    "a number of 10,000 digits": (
        predict('{"texts": [{"text": "a", "n": %s}]}' % ("9" * 10_000)),
        400,
    ),
    "a key twice": (predict('{"texts": ["a"], "texts": ["b"]}'), 400),
    "no texts": (predict("{}"), 422),
    "an empty list": (texts(), 422),
    "a list": (predict('["Ada"]'), 422),
    "null": (predict("null"), 422),
    "one text": (predict('{"texts": "Ada"}'), 422),
    "numbers": (texts(1, 2), 422),
    "nothing to read": (texts({"author": "Ada"}), 422),
    "a text that is an object": (texts({"text": {"a": 1}}), 422),
    "words that are numbers": (texts({"tokens": [1, 2]}), 422),
    "lists of lists of words": (texts([["Ada"]]), 422),
    "another key": (predict('{"texts": ["Ada"], "modle": "run"}'), 422),
    "a model that there is not": (predict('{"texts": ["Ada"], "model": "ran"}'), 404),
    "a path for a model": (predict('{"texts": ["Ada"], "model": "../../etc/passwd"}'), 404),
    "a model of 90,000 letters": (
        predict(json.dumps({"texts": ["a"], "model": "m" * 90_000})),
        404,
    ),
    "a number for a model": (predict('{"texts": ["Ada"], "model": 1}'), 422),
    "no type": (predict('{"texts": ["Ada"]}', "X-A: b"), 415),
    "a form": (predict("texts=a", "Content-Type: application/x-www-form-urlencoded"), 415),
    "text": (predict('{"texts": ["Ada"]}', "Content-Type: text/plain"), 415),
    "Latin-1": (predict('{"texts": []}', "Content-Type: application/json; charset=latin-1"), 415),
    "a gzip bomb": (
        predict(
            gzip.compress(b" " * 10_000_000),
            "Content-Encoding: gzip",
            "Content-Type: application/json",
        ),
        415,
    ),
    "another encoding": (
        predict("{}", "Content-Encoding: br", "Content-Type: application/json"),
        415,
    ),
    "another method": (predict('{"texts": ["Ada"]}').replace(b"POST", b"GET", 1), 405),
    "a method of its own": (b"BREW /predict HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 405),
    "another path": (predict("{}").replace(b"/predict", b"/../../etc/passwd", 1), 404),
    "a path of 60,000 letters": (predict("{}").replace(b"/predict", b"/" + b"a" * 60_000, 1), 404),
    "a head without end": (b"GET / HTTP/1.1\r\n" + b"X-A: " + b"a" * 200_000, 400),
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no host": (b"GET /health HTTP/1.1\r\n\r\n", 400),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_is_refused_within_limits(server, name):
    request, expected = HOSTILE[name]
    before, begun = server.memory(), time.monotonic()
    answer = server.send(request)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == expected, answer[:500]
    said = json.loads(body)
    assert list(said) == ["error"]
    assert len(said["error"]) < 1_000
    assert time.monotonic() - begun < 20
    assert server.memory() - before < 50
    assert len(server.log.read_text("utf-8").splitlines()) == 1  # strangers do not fill it
    assert server.post({"texts": ["Ada left."]})[0] == 200


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        ((b"POST /predict HT",), b"408"),
        ((b"GET /health HTTP/1.1\r\n", *[b"X-A: b\r\n"] * 8), b"408"),
        ((predict('{"texts": ["Ada"]}')[:-3],), b"408"),
        (tuple(bytes([byte]) for byte in predict(" " * 2_000)), b"408"),
        ((b"",), b"408"),
    ],
    ids=["half a line", "head by head", "half a body", "byte by byte", "silence"],
)
def test_a_slow_client_is_not_waited_for(server, parts, status):
    begun = time.monotonic()
    heard = server.send(*parts, pause=0.3 if len(parts) < 100 else 0.001)
    assert heard.split()[1] == status
    assert b'{"error": "' in heard
    assert time.monotonic() - begun < 20


def test_several_requests_go_over_one_connection(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    for _ in range(3):
        connection.request("POST", "/predict", b'{"texts": ["Li left."]}', JSON)
        answer = connection.getresponse()
        assert answer.status == 200
        assert len(json.loads(answer.read())["results"]) == 1
    connection.close()


def test_a_body_does_not_wait_until_its_head_is_acknowledged() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_who_comes_when_too_much_waits_is_told_when_to_come_again(server):
    body = json.dumps({"texts": ["Ada Lovelace wrote to Paris, again."] * 500}).encode()
    with ThreadPoolExecutor(24) as clients:
        asked = [clients.submit(server.ask, "POST", "/predict", body, JSON) for _ in range(48)]
    answers = [one.result() for one in asked]
    assert {status for status, *_ in answers} == {200, 503}
    refused = [(headers, body) for status, headers, body in answers if status == 503]
    assert all(1 <= int(headers["retry-after"]) <= 60 for headers, _ in refused)
    assert all("error" in json.loads(body) for _, body in refused)
    assert server.post({"texts": ["Ada left."]})[0] == 200


def test_who_has_gone_is_not_computed_for(server):
    body = json.dumps({"texts": ["Ada Lovelace wrote to Paris, again."] * 500}).encode()
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            raw.sendall(predict(body))
    assert server.post({"texts": ["Ada left."]})[0] in (200, 503)
    deadline = time.monotonic() + 60
    while server.ask("GET", "/ready")[0] != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def guarded(
    trained_ner: Path, trained_classifier: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Start a server of two models that asks for a token."""
    names = (f"names={trained_ner}", f"wishes={trained_classifier}")
    folder = tmp_path_factory.mktemp("guarded")
    with serving(folder, "serve", *names, "--token-env", "MY_TOKEN", MY_TOKEN=SECRET) as one:
        yield one


@pytest.mark.parametrize(
    "header",
    [None, SECRET, f"Basic {SECRET}", "Bearer", "Bearer ", f"Bearer {SECRET}x",
     f"Bearer {SECRET[:-1]}", "Bearer \xe9", f"Bearer {SECRET.upper()}"],
)  # fmt: skip
def test_without_the_token_nothing_is_predicted(guarded, header):
    given = {} if header is None else {"Authorization": header}
    for method, path in (("POST", "/predict"), ("GET", "/metrics")):
        status, headers, body = guarded.ask(method, path, b'{"texts": ["a"]}', {**JSON, **given})
        assert status == 401
        assert headers["www-authenticate"] == "Bearer"
        assert SECRET not in body.decode()
    assert guarded.ask("GET", "/ready")[0] == 200


def test_with_the_token_each_model_answers_by_its_name(
    guarded, nlpt, trained_ner, trained_classifier
):
    token = {"Authorization": f"Bearer {SECRET}"}
    for name, run in (("names", trained_ner), ("wishes", trained_classifier)):
        status, answer = guarded.post({"texts": TEXTS, "model": name}, **token)
        assert (status, answer["model"]) == (200, name)
        assert rounded(answer["results"]) == rounded(predicted(nlpt, TEXTS, run))
    assert guarded.post({"texts": TEXTS}, **token)[1]["model"] == "names"
    status, answer = guarded.post({"texts": TEXTS, "model": "wish"}, **token)
    assert status == 404
    assert "'wishes'" in answer["error"]
    assert guarded.ask("GET", "/metrics", None, token)[0] == 200
    schema = json.loads(guarded.ask("GET", "/openapi.json")[2])
    assert schema["paths"]["/predict"]["post"]["security"] == [{"HTTPBearer": []}]


def test_a_signal_lets_it_answer_what_was_asked(guarded):
    """And the token stands in no log. The server is gone after this test."""
    body = json.dumps({"texts": ["Ada Lovelace wrote to Paris, again."] * 1_000}).encode()
    header = {**JSON, "Authorization": f"Bearer {SECRET}"}
    with ThreadPoolExecutor(8) as clients:
        asked = [clients.submit(guarded.ask, "POST", "/predict", body, header) for _ in range(8)]
        while b'path="/predict",status="200"' not in (page := metrics(guarded)):
            time.sleep(0.02)
        guarded.process.send_signal(signal.SIGTERM)
        answers = [one.result() for one in asked]
    assert guarded.process.wait(60) == 143, page
    assert [(status, len(json.loads(body)["results"])) for status, _, body in answers] == [
        (200, 1_000)
    ] * 8
    said = guarded.log.read_text("utf-8")
    assert said.splitlines()[-1] == "stopped by SIGTERM; who had asked was answered"
    assert SECRET not in said
    with pytest.raises(ConnectionError):
        guarded.ask("GET", "/health")


def metrics(server: Server) -> bytes:
    """Return the page of figures of a server that asks for the token."""
    return server.ask("GET", "/metrics", None, {"Authorization": f"Bearer {SECRET}"})[2]


def refused(nlpt: Command, *arguments: object) -> str:
    """Return what is said of a mistake: one line, and no traceback."""
    code, out, err = nlpt("serve", *arguments)
    assert (code, out) == (2, ""), err
    assert err.startswith("error: ")
    assert "Traceback" not in err
    return err


def test_a_port_in_use_is_said_before_anything_is_loaded(nlpt, trained_ner):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        err = refused(nlpt, trained_ner, "--port", port)
    assert err == f"error: --port: {port} is in use on 127.0.0.1. Choose another, or 0 for any " \
        "that is free.\n"  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--host", "0.0.0.0"), "Name a token that clients must send, --token-env NAME"),
        (("--host", "::"), "Name a token that clients must send"),
        (("--host", "no.such.host.invalid"), "there is no 'no.such.host.invalid'"),
        (("--host", ""), "there is no ''"),
        (("--host", "192.0.2.1", "--no-token"), "192.0.2.1 is no address of this machine"),
        (("--token-env", "NOT_SET"), "'NOT_SET' is not set"),
        (("--token-env", ""), "'' is not set"),
        (("--token-env", "BLANKS"), "holds blanks"),
        (("--token-env", "GOOD", "--no-token"), "Leave out one of them"),
        (("--engine", "tensorrt"), "'tensorrt' is unknown (auto, torch, compiled, onnx)"),
        (("--engine", "onnx"), "holds no ONNX model"),
        (("--device", "cuda:77"), "cuda:77"),
        (("--client-timeout", "inf"), "client_seconds is inf"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_served_is_refused(nlpt, trained_ner, monkeypatch, arguments, said):
    monkeypatch.setenv("GOOD", SECRET)
    monkeypatch.setenv("BLANKS", f"{SECRET} {SECRET}")
    err = refused(nlpt, trained_ner, "--port", "0", *arguments)
    assert said in err
    assert SECRET not in err


def test_what_is_no_model_is_refused(nlpt, trained_ner, tmp_path):
    unfinished = tmp_path / "half"
    unfinished.mkdir()
    (unfinished / "recipe.yaml").write_text("name: half\n")
    assert "is not finished. Finish it with" in refused(nlpt, unfinished, "--port", 0)
    assert "there is no" in refused(nlpt, "runs/nowhere", "--port", 0)
    assert "would both be called 'run'" in refused(nlpt, trained_ner, f"run={trained_ner}")
    assert "is not NAME=MODEL" in refused(nlpt, f"={trained_ner}", "--port", 0)
    assert "is not NAME=MODEL" in refused(nlpt, "names=", "--port", 0)
    assert "Name a run of the strategies" in refused(
        nlpt, trained_ner, "--adapter", trained_ner, "--port", 0
    )


def test_where_it_cannot_run_is_said(nlpt, trained_ner, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv("WORLD_SIZE", "2")
        patch.setenv("RANK", "0")
        assert "runs in one process" in refused(nlpt, trained_ner)
    monkeypatch.setattr(requirements, "find_spec", lambda _: None)
    assert "pip install 'nlp-transfer[serve]'" in refused(nlpt, trained_ner)


def test_a_dockerfile_copies_the_models_and_repeats_the_options(
    nlpt, trained_ner, tiny_bert, monkeypatch
):
    monkeypatch.chdir(trained_ner.parent)
    code, out, _ = nlpt(
        "serve", "names=run", "--dockerfile", "--max-texts", 5, "--precision", "fp32"
    )
    assert code == 0
    lines = out.splitlines()
    assert 'COPY ["run/model", "/models/1"]' in lines
    assert "USER nlpt" in lines
    command = json.loads(lines[-1].removeprefix("ENTRYPOINT "))
    assert command[:3] == ["nlpt", "serve", "names=/models/1"]
    assert command[3:] == ["--host", "0.0.0.0", "--port", "8000", "--token-env", "NLPT_TOKEN",
                           "--precision", "fp32", "--max-texts", "5"]  # fmt: skip
    assert "--no-token" in dockerfile("run", token_env=None)
    for line in lines[2:]:
        assert line.split()[0] in {"FROM", "RUN", "COPY", "USER", "ENV", "EXPOSE", "HEALTHCHECK",
                                   "ENTRYPOINT"}  # fmt: skip
    with pytest.raises(UserError, match="Make a model of each"):
        dockerfile("run", adapters=["run"])
    monkeypatch.chdir(trained_ner / "model")
    assert "lies outside of" in refused(nlpt, tiny_bert, "--dockerfile")


@pytest.mark.slow
def test_adapters_of_one_base_each_answer_by_their_name(
    nlpt, tiny_bert, tiny_recipe, trained, tmp_path
):
    runs = {}
    for name, task in (("names", "ner"), ("wishes", "classification")):
        run = trained(tiny_recipe(task, strategy="lora", training={"epochs": 1}))
        runs[name] = shutil.copytree(run, tmp_path / name)
    adapters = [part for run in runs.values() for part in ("--adapter", run)]
    with serving(tmp_path, "serve", tiny_bert, *adapters) as server:
        for name, run in runs.items():
            status, answer = server.post({"texts": TEXTS, "model": name})
            assert status == 200
            own = predicted(nlpt, TEXTS, tiny_bert, "--adapter", run)
            assert rounded(answer["results"]) == rounded(own)


@pytest.mark.slow
def test_an_export_is_served_and_a_second_signal_ends_at_once(nlpt, trained_ner, tmp_path):
    pytest.importorskip("onnxruntime")
    code, _, err = nlpt("export", trained_ner, "--output", tmp_path / "onnx")
    assert code == 0, err
    with serving(tmp_path, "serve", tmp_path / "onnx", "--engine", "onnx") as server:
        status, answer = server.post({"texts": TEXTS})
        assert status == 200
        assert rounded(answer["results"]) == rounded(predicted(nlpt, TEXTS, tmp_path / "onnx"))
        held = socket.create_connection(("127.0.0.1", server.port))
        held.sendall(predict('{"texts": ["Ada"]}')[:-3])
        time.sleep(0.3)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert server.process.poll() is None
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(15) == 130
        assert "stopped by SIGINT; who still waited got no answer" in server.log.read_text("utf-8")
        held.close()
