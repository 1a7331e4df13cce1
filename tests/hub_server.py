"""A small Hub: the parts of its HTTP interface that its clients use, kept in memory."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml

USER = "tester"
_LFS_SUFFIXES = (".safetensors", ".bin", ".parquet")


@dataclass
class Repo:
    """A repository: its files at every commit, the last one being its present state."""

    private: bool = False
    snapshots: list[dict[str, bytes]] = field(default_factory=lambda: [{}])
    summaries: list[str] = field(default_factory=lambda: ["initial commit"])
    branches: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Branches beside main, and pull requests, such as refs/convert/parquet: their files."""
    tags: dict[str, str] = field(default_factory=dict)
    """The commit that each tag names."""

    @property
    def files(self) -> dict[str, bytes]:
        return self.snapshots[-1]

    @property
    def published(self) -> list[str]:
        """The summaries of all commits after the empty first one."""
        return self.summaries[1:]

    def sha(self, number: int = -1) -> str:
        return hashlib.sha1(f"{id(self)} {range(len(self.snapshots))[number]}".encode()).hexdigest()

    def find(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Return the commit and the files of a branch or a commit."""
        known = {self.sha(number): files for number, files in enumerate(self.snapshots)}
        names = {"main": self.sha()}
        for name, files in self.branches.items():
            names[name] = hashlib.sha1(f"{id(self)} {name}".encode()).hexdigest()
            known[names[name]] = files
        commit = {**names, **self.tags}.get(revision, revision)
        return (commit, known[commit]) if commit in known else None


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
        self.too_often = 0
        """How many commits are refused yet, to be tried again a second later."""
        self.url = ""

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
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        self._handle()

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815

    def _handle(self) -> None:
        body = self._body()
        path = unquote(urlsplit(self.path).path).strip("/")
        self.hub.requests.append(f"{self.command} /{path}")
        if self.command == "PUT" and path.startswith("lfs/"):  # a signed address needs no token
            return self._store(path.removeprefix("lfs/"), body)
        if self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            message = "Invalid credentials in Authorization header"
            return self._send(401, {"error": message}, {"X-Error-Message": message})
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if path == "api/whoami-v2":
            return self._send(200, {"type": "user", "name": USER, "orgs": []})
        if path == "api/validate-yaml":
            return self._validate(json.loads(body)["content"])
        if path == "api/repos/create":
            return self._create(json.loads(body))
        if path.endswith(".git/info/lfs/objects/batch"):
            return self._lfs_batch(json.loads(body))
        is_api = parts[0] == "api"
        if is_api:
            parts = parts[2:] if parts[1] == "models" else parts[1:]
        size = 3 if parts[0] == "datasets" else 2
        name, rest = "/".join(parts[:size]), parts[size:]
        if name not in self.hub.repos:
            return self._missing("RepoNotFound")
        repo = self.hub.repos[name]
        if is_api:
            return self._api(name, repo, rest, body)
        return self._resolve(repo, rest[1], "/".join(rest[2:]))

    def _api(self, name: str, repo: Repo, rest: list[str], body: bytes) -> None:
        action, revision = (rest or ["revision"])[0], (rest[1:] or ["main"])[0]
        if action == "preupload":
            return self._preupload(repo, json.loads(body))
        if self.hub.too_often and action == "commit":
            self.hub.too_often -= 1
            return self._send(429, {"error": "too many requests"}, {"Retry-After": "1"})
        if action == "commit":
            lines = [json.loads(line) for line in body.splitlines()]
            return self._commit(name, repo, revision, lines)
        if action == "branch":
            repo.branches.setdefault(revision, dict(repo.files))
            return self._send(200, {})
        if action == "tag":
            repo.tags[json.loads(body)["tag"]] = revision
            return self._send(200, {})
        if action == "refs":
            tags = [
                {"name": name, "ref": f"refs/tags/{name}", "targetCommit": sha}
                for name, sha in repo.tags.items()
            ]
            return self._send(200, {"branches": [], "converts": [], "tags": tags})
        found = repo.find(revision)
        if found is None:
            return self._missing("RevisionNotFound")
        sha, files = found
        if action == "tree":
            return self._tree(files, "/".join(rest[2:]))
        if action == "paths-info":
            asked = parse_qs(body.decode())["paths"]
            return self._send(200, [e for e in _tree_entries(files) if e["path"] in asked])
        siblings = [{"rfilename": path} for path in files]
        name = name.removeprefix("datasets/")
        info = {"id": name, "sha": sha, "private": repo.private, "siblings": siblings, "tags": []}
        return self._send(200, info)

    def _tree(self, files: dict[str, bytes], folder: str) -> None:
        prefix = f"{folder}/" if folder else ""
        entries = [e for e in _tree_entries(files) if e["path"].startswith(prefix)]
        if not entries and folder:
            return self._missing("EntryNotFound")
        if "recursive=true" not in urlsplit(self.path).query.lower():
            entries = [e for e in entries if "/" not in e["path"].removeprefix(prefix)]
        return self._send(200, entries)

    def _create(self, asked: dict[str, Any]) -> None:
        owner = asked.get("organization") or USER
        name = f"{owner}/{asked['name']}"
        if owner != USER:
            message = f"You don't have the rights to create a model under the namespace {owner!r}"
            return self._send(403, {"error": message}, {"X-Error-Message": message})
        exists = name in self.hub.repos
        if not exists:
            self.hub.repos[name] = Repo(private=asked.get("visibility") == "private")
        return self._send(409 if exists else 200, {"url": f"{self.hub.url}/{name}"})

    def _validate(self, content: str) -> None:
        """Check the metadata as the real Hub does, as far as model cards are concerned."""
        data = yaml.safe_load(content.split("---\n")[1])
        texts = ("license", "language")
        errors = [f'"{key}" must be a string' for key in texts if data.get(key, "") is None]
        for entry in data.get("model-index", []):
            for result in entry["results"]:
                if not result["task"].get("type") or not result["dataset"].get("type"):
                    errors.append('"model-index" lacks a task or dataset type')
                if not all("type" in metric and "value" in metric for metric in result["metrics"]):
                    errors.append('"model-index" lacks a metric type or value')
        names = [data["base_model"]] if "base_model" in data else []
        errors += [
            f"{name!r} is not a repository id"
            for name in (*names, *data.get("datasets", []))
            if name.startswith(("/", ".")) or name.count("/") > 1
        ]
        found = [{"message": message} for message in errors]
        return self._send(400 if errors else 200, {"errors": found, "warnings": []})

    def _preupload(self, repo: Repo, asked: dict[str, Any]) -> None:
        files = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(_LFS_SUFFIXES) else "regular",
                "shouldIgnore": False,
                "oid": _oid(file["path"], repo.files[file["path"]])
                if file["path"] in repo.files
                else None,
            }
            for file in asked["files"]
        ]
        return self._send(200, {"files": files})

    def _lfs_batch(self, asked: dict[str, Any]) -> None:
        objects = []
        for entry in asked["objects"]:
            upload = {"upload": {"href": f"{self.hub.url}/lfs/{entry['oid']}"}}
            known = entry["oid"] in self.hub.blobs
            objects.append(entry if known else {**entry, "actions": upload})
        return self._send(200, {"transfer": "basic", "objects": objects})

    def _store(self, oid: str, body: bytes) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            return self._send(400, {"error": "the content does not have this SHA-256"})
        self.hub.blobs[oid] = body
        return self._send(200, {})

    def _commit(self, name: str, repo: Repo, revision: str, lines: list[dict[str, Any]]) -> None:
        _, before = repo.find(revision) or ("", {})
        files = dict(before)
        for line in lines:
            value = line["value"]
            if line["key"] == "header":
                repo.summaries.append(value["summary"])
            elif line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.blobs[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
            else:
                raise NotImplementedError(line["key"])
        answer = {"success": True}
        if "create_pr=1" in urlsplit(self.path).query:
            revision = f"refs/pr/{len(repo.branches) + 1}"
            number = revision.rpartition("/")[2]
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
        headers = {"X-Repo-Commit": sha, "ETag": f'"{_oid(path, files[path])}"'}
        return self._send(200, files[path], headers)

    def _missing(self, code: str, headers: dict[str, str] | None = None) -> None:
        return self._send(404, {"error": code}, {"X-Error-Code": code, **(headers or {})})

    def _send(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        kind = "application/octet-stream" if isinstance(answer, bytes) else "application/json"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))


def _oid(path: str, content: bytes) -> str:
    """Name a file as git does, or by its SHA-256 where it is in large file storage."""
    if path.endswith(_LFS_SUFFIXES):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _tree_entries(files: dict[str, bytes]) -> list[dict[str, Any]]:
    """List the folders and the files of a commit, as the recursive listing has them."""
    folders = {str(folder) for path in files for folder in PurePosixPath(path).parents} - {"."}
    listed = [{"type": "directory", "path": path, "size": 0, "oid": ""} for path in sorted(folders)]
    return listed + [_tree_entry(path, content) for path, content in files.items()]


def _tree_entry(path: str, content: bytes) -> dict[str, Any]:
    entry = {"type": "file", "path": path, "size": len(content), "oid": _oid(path, content)}
    if path.endswith(_LFS_SUFFIXES):
        entry["lfs"] = {"oid": _oid(path, content), "size": len(content), "pointerSize": 130}
    return entry
