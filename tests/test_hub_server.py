"""The Hub of the tests is one that clients can rely on: commits, parts of files, tags, faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from hub_server import Fault, Hub, Repo, running_hub

CONTENT = b"0123456789"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with running_hub(tmp_path) as server:
        server.repos["me/model"] = Repo(snapshots=[{}, {"a.txt": CONTENT}])
        server.repos["datasets/me/data"] = Repo(
            branches={"refs/convert/parquet": {"a/b.txt": b"1"}}
        )
        yield server


def ask(hub: Hub, path: str, *, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection(hub.url.removeprefix("http://"), timeout=1)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {hub.token}", **named})
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def told(hub: Hub, path: str) -> Any:
    return json.loads(ask(hub, path)[1])


def test_every_answer_names_the_same_commit_until_there_is_another(hub: Hub) -> None:
    def named() -> set[str]:
        sha = told(hub, "/api/models/me/model")["sha"]
        return {
            sha,
            told(hub, "/api/models/me/model/revision/main")["sha"],
            told(hub, f"/api/models/me/model/revision/{sha}")["sha"],
            *(ref["targetCommit"] for ref in told(hub, "/api/models/me/model/refs")["branches"]),
            ask(hub, "/me/model/resolve/main/a.txt", method="HEAD")[0].headers["X-Repo-Commit"],
            ask(hub, "/me/model/resolve/main/none.txt")[0].headers["X-Repo-Commit"],
        }

    (before,) = named()
    hub.repos["me/model"].snapshots.append({"a.txt": b"changed"})
    (after,) = named()
    assert before != after
    assert ask(hub, f"/me/model/resolve/{before}/a.txt")[1] == CONTENT
    assert ask(hub, f"/me/model/resolve/{after}/a.txt")[1] == b"changed"


def test_a_conversion_is_a_branch_with_its_own_commit(hub: Hub) -> None:
    path = "/api/datasets/me/data"
    info = told(hub, f"{path}/revision/refs%2Fconvert%2Fparquet")
    (ref,) = told(hub, f"{path}/refs")["converts"]
    assert (ref["name"], ref["targetCommit"]) == ("parquet", info["sha"])
    assert info["sha"] != told(hub, path)["sha"]
    assert [e["path"] for e in told(hub, f"{path}/tree/{info['sha']}")] == ["a"]
    assert [e["path"] for e in told(hub, f"{path}/tree/{info['sha']}/a")] == ["a/b.txt"]


@pytest.mark.parametrize(
    ("asked", "part", "span"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
    ],
)
def test_a_part_of_a_file_is_sent(hub: Hub, asked: str, part: bytes, span: str) -> None:
    answer, body = ask(hub, "/me/model/resolve/main/a.txt", Range=asked)
    assert (answer.status, body, answer.headers["Content-Range"]) == (206, part, span)


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=20-30", "bytes=-0"])
def test_a_part_that_there_is_not_is_refused(hub: Hub, asked: str) -> None:
    answer, body = ask(hub, "/me/model/resolve/main/a.txt", Range=asked)
    assert (answer.status, body, answer.headers["Content-Range"]) == (416, b"", "bytes */10")


def test_a_file_that_the_client_has_is_not_sent_again(hub: Hub) -> None:
    path = "/me/model/resolve/main/a.txt"
    tag = ask(hub, path)[0].headers["ETag"]
    answer, body = ask(hub, path, If_None_Match=tag)
    assert (answer.status, body, answer.headers["ETag"]) == (304, b"", tag)
    hub.repos["me/model"].snapshots.append({"a.txt": b"changed"})
    assert ask(hub, path, If_None_Match=tag)[0].status == 200


def test_a_fault_meets_what_it_names_as_often_as_it_says(hub: Hub) -> None:
    hub.faults += [Fault("/resolve/", 503, times=2), Fault("GET .*/refs$", 429)]
    statuses = [ask(hub, "/me/model/resolve/main/a.txt")[0].status for _ in range(3)]
    assert statuses == [503, 503, 200]
    assert [ask(hub, "/api/models/me/model/refs")[0].status for _ in range(3)] == [429] * 3
    assert ask(hub, "/api/models/me/model")[0].status == 200


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("reset", ConnectionError),
        ("cut", (ConnectionError, HTTPException)),
        ("hang", TimeoutError),
        ("stall", TimeoutError),
    ],
)
def test_a_connection_breaks_or_hangs(hub: Hub, how: str, error: Any) -> None:
    hub.faults.append(Fault("/resolve/", how, times=1))
    with pytest.raises(error):
        ask(hub, "/me/model/resolve/main/a.txt")
    assert ask(hub, "/me/model/resolve/main/a.txt")[1] == CONTENT
