"""The requests of the Hub's clients in, answers out."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from hub_server.answers import Answering
from hub_server.faults import Fault
from hub_server.repositories import Files, Repo, listed, oid
from hub_server.uploads import card_errors, changed, upload_modes

USER = "tester"


class Hub:
    """What the server knows; tests read and fill it directly.

    repos: models under OWNER/NAME, data sets under datasets/OWNER/NAME
    """

    def __init__(self, client_home: Path) -> None:
        self.client_home = client_home
        self.token = f"hf_test{secrets.token_hex(16)}"
        self.repos: dict[str, Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.faults: list[Fault] = []
        """The first one that meets a request is what becomes of it."""
        self.too_often = 0
        """How many commits are refused yet, to be tried again a second later."""
        self.url = ""
        self.closing = threading.Event()

    def environment(self) -> dict[str, str]:
        """Make the environment of a process that talks to this Hub only.

        huggingface_hub reads its settings when it is imported, so a client is a new process.
        """
        hidden = ("HF_", "HUGGING_FACE_", "TRANSFORMERS_OFFLINE", "RANK", "WORLD_SIZE")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
        return {
            **kept,
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": self.token,
            "HF_HOME": str(self.client_home),
            "HF_HUB_DISABLE_XET": "1",  # the server speaks the plain large-file protocol only
            "OMP_NUM_THREADS": "1",
            "NO_PROXY": "127.0.0.1",
            "COLUMNS": "200",
        }

    def add_folder(self, repo: str, folder: Path) -> None:
        """Create a repository with the files of a folder."""
        files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        self.repos[repo] = Repo(snapshots=[{}, files], summaries=["initial commit", "a folder"])


@contextmanager
def running_hub(client_home: Path) -> Iterator[Hub]:
    """Serve a Hub on a free port of this machine.

    client_home: HF_HOME of its clients, so that no real cache or login is touched
    """
    hub = Hub(client_home)
    shared = {"requests": hub.requests, "faults": hub.faults, "closing": hub.closing}
    handler = type("Handler", (_Handler,), {"hub": hub, **shared})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(Answering):
    hub: Hub

    def _answer(self, path: str, body: bytes) -> None:
        if self.command == "PUT" and path.startswith("lfs/"):  # a signed address needs no token
            return self._store(path.removeprefix("lfs/"), body)
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            return self._refuse(401, "Invalid credentials in Authorization header")
        if path == "api/whoami-v2":
            return self._send(200, {"type": "user", "name": USER, "orgs": []})
        if path == "api/validate-yaml":
            errors = [{"message": error} for error in card_errors(json.loads(body)["content"])]
            return self._send(400 if errors else 200, {"errors": errors, "warnings": []})
        if path == "api/repos/create":
            return self._create(json.loads(body))
        if path.endswith(".git/info/lfs/objects/batch"):
            return self._lfs_batch(json.loads(body))
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        is_api = parts[0] == "api"
        if is_api:
            parts = parts[2:] if parts[1] == "models" else parts[1:]
        size = 3 if parts[0] == "datasets" else 2
        name, rest = "/".join(parts[:size]), parts[size:]
        repo = self.hub.repos.get(name)
        if repo is None:
            return self._missing("RepoNotFound")
        if not is_api:
            return self._resolve(repo, rest[1], "/".join(rest[2:]))
        if self.command == "POST" and rest[0] != "paths-info":
            return self._change(name, repo, rest, body)
        return self._tell(name, repo, rest, body)

    def _change(self, name: str, repo: Repo, rest: list[str], body: bytes) -> None:
        action, revision = rest[0], (rest[1:] or ["main"])[0]
        if action == "preupload":
            paths = [file["path"] for file in json.loads(body)["files"]]
            return self._send(200, {"files": upload_modes(repo, paths)})
        if action == "commit":
            lines = [json.loads(line) for line in body.splitlines()]
            return self._commit(name, repo, revision, lines)
        if action == "branch":
            repo.branches.setdefault(revision, dict(repo.files))
            return self._send(200, {})
        if action == "tag":
            repo.tags[json.loads(body)["tag"]] = revision
            return self._send(200, {})
        return self._missing("EntryNotFound")

    def _tell(self, name: str, repo: Repo, rest: list[str], body: bytes) -> None:
        action, revision = (rest or ["revision"])[0], (rest[1:] or ["main"])[0]
        if action == "refs":
            return self._send(200, repo.refs())
        found = repo.find(revision)
        if found is None:
            return self._missing("RevisionNotFound")
        sha, files = found
        if action == "tree":
            return self._tree(files, "/".join(rest[2:]))
        if action == "paths-info":
            asked = parse_qs(body.decode())["paths"]
            return self._send(200, [e for e in listed(files) if e["path"] in asked])
        siblings = [{"rfilename": path} for path in files]
        name = name.removeprefix("datasets/")
        info = {"id": name, "sha": sha, "private": repo.private, "siblings": siblings, "tags": []}
        return self._send(200, info)

    def _tree(self, files: Files, folder: str) -> None:
        prefix = f"{folder}/" if folder else ""
        entries = [e for e in listed(files) if e["path"].startswith(prefix)]
        if not entries and folder:
            return self._missing("EntryNotFound")
        if "recursive=true" not in urlsplit(self.path).query.lower():
            entries = [e for e in entries if "/" not in e["path"].removeprefix(prefix)]
        return self._send(200, entries)

    def _create(self, asked: dict[str, Any]) -> None:
        owner = asked.get("organization") or USER
        name = f"{owner}/{asked['name']}"
        if owner != USER:
            who = f"You don't have the rights to create a model under the namespace {owner!r}"
            return self._refuse(403, who)
        exists = name in self.hub.repos
        if not exists:
            self.hub.repos[name] = Repo(private=asked.get("visibility") == "private")
        return self._send(409 if exists else 200, {"url": f"{self.hub.url}/{name}"})

    def _lfs_batch(self, asked: dict[str, Any]) -> None:
        objects = []
        for entry in asked["objects"]:
            upload = {"upload": {"href": f"{self.hub.url}/lfs/{entry['oid']}"}}
            known = entry["oid"] in self.hub.blobs
            objects.append(entry if known else {**entry, "actions": upload})
        return self._send(200, {"transfer": "basic", "objects": objects})

    def _store(self, name: str, body: bytes) -> None:
        if hashlib.sha256(body).hexdigest() != name:
            return self._send(400, {"error": "the content does not have this SHA-256"})
        self.hub.blobs[name] = body
        return self._send(200, {})

    def _commit(self, name: str, repo: Repo, revision: str, lines: list[dict[str, Any]]) -> None:
        if self.hub.too_often:
            self.hub.too_often -= 1
            return self._send(429, {"error": "too many requests"}, {"Retry-After": "1"})
        _, before = repo.find(revision) or ("", {})
        files, summary = changed(before, lines, self.hub.blobs)
        repo.summaries.append(summary)
        answer = {"success": True}
        if "create_pr=1" in urlsplit(self.path).query:
            number = len(repo.branches) + 1
            revision = f"refs/pr/{number}"
            answer["pullRequestUrl"] = f"{self.hub.url}/{name}/discussions/{number}"
        if revision == "main":
            repo.snapshots.append(files)
        else:
            repo.branches[revision] = files
        sha, _ = repo.find(revision) or ("", {})
        return self._send(
            200, {**answer, "commitOid": sha, "commitUrl": f"{self.hub.url}/{name}/commit/{sha}"}
        )

    def _resolve(self, repo: Repo, revision: str, path: str) -> None:
        found = repo.find(revision)
        if found is None:
            return self._missing("RevisionNotFound")
        sha, files = found
        if path not in files:
            return self._missing("EntryNotFound", {"X-Repo-Commit": sha})
        return self._send_file(files[path], oid(path, files[path]), {"X-Repo-Commit": sha})
