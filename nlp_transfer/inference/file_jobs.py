"""Many files in, an output for each out, whole or not there; what is done is not done again."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from nlp_transfer import files
from nlp_transfer.data.inputs import read_items
from nlp_transfer.data.items import Item
from nlp_transfer.data.many_files import FilePair
from nlp_transfer.errors import UserError
from nlp_transfer.inference.blocks import InputChangedError
from nlp_transfer.inference.job_folder import JobFolder
from nlp_transfer.inference.jobs import interrupted, predict_in_parts, predict_whole
from nlp_transfer.inference.opening import Models
from nlp_transfer.manifest import sha256_of
from nlp_transfer.recipe import DataSection

log = logging.getLogger(__name__)

_KEPT = ".nlpt"
_SHOWN = 20


class UnreadableError(UserError):
    """One of many inputs cannot be read."""


@dataclass(frozen=True)
class FileJobs:
    """The results of many files in a folder, and in its .nlpt what they are the results of.

    A file's record is written before its output, without a size, and once more when that is whole:
    what has no record is not ours.
    """

    folder: Path
    job: Mapping[str, object]
    """What the results depend on beside the inputs, as JSON."""
    data: DataSection
    """How each input is read."""
    to: str

    def begin(self, pairs: Sequence[FilePair], *, fresh: bool) -> list[FilePair]:
        """Return those that are not done, each by the content of its input.

        fresh:  delete what is done of them, and all there is of another job
        raises: UserError when there are results of another job, or files that are not ours
        """
        foreign = [p.output for p in pairs if p.output.exists() and not self._record(p).is_file()]
        if foreign:
            raise UserError(
                f"--output: {len(foreign)} file(s) are there already and not of this job: "
                f"{', '.join(map(str, foreign[:3]))}. Name another folder, or move them away."
            )
        (self.folder / _KEPT).mkdir(parents=True, exist_ok=True)
        if fresh:
            self._delete_results(pairs)
        self._all.begin(fresh=fresh and bool(self._all.differences()))
        todo = [pair for pair in pairs if not self._is_done(pair)]
        if len(todo) < len(pairs):
            log.info("%d of %d files are done already", len(pairs) - len(todo), len(pairs))
        return todo

    def predict(self, predictor: Models, pair: FilePair, *, in_parts: bool) -> str | None:
        """Predict one file.

        in_parts: keep what is predicted when interrupted; nobody else may be at the same file
        returns:  why it cannot be read; None: its output is there, and whole
        """
        pair.output.parent.mkdir(parents=True, exist_ok=True)
        record: dict[str, Any] = {"input": str(pair.input), "sha256": "", "job": self._all.seal}
        try:
            record["sha256"] = _sha256(pair.input)
            files.write_json(self._made(self._record(pair)), record)
            self._predict(predictor, pair, in_parts=in_parts)
        except UnreadableError as error:
            log.warning("left out: %s", error)
            named = str(error).startswith(str(pair.input))
            return str(error) if named else f"{pair.input}: {error}"
        except KeyboardInterrupt as stop:
            raise interrupted(stop, kept=self.folder) from None
        files.write_json(self._record(pair), {**record, "bytes": pair.output.stat().st_size})
        log.info("%s is done", pair.output)
        return None

    def end(self, faults: Sequence[str], total: int) -> None:
        """Say how it went.

        raises: UserError when some files could not be read
        """
        log.info("%d of %d files are in %s", total - len(faults), total, self.folder)
        if faults:
            more = [f"and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
            lines = "\n".join(f"  {line}" for line in [*faults[:_SHOWN], *more])
            raise UserError(
                f"INPUT: {len(faults)} of {total} files cannot be read:\n{lines}\n"
                f"The others are in {self.folder}. Mend them, or leave them out; the same command "
                "does only these."
            )

    def _predict(self, predictor: Models, pair: FilePair, *, in_parts: bool) -> None:
        data = self.data.model_copy(update={"source": str(pair.input)})

        def items() -> Iterator[Item]:
            return _read(data, predictor)

        if not in_parts:
            predict_whole(predictor, items(), to=self.to, output=pair.output)
            return
        parts = JobFolder(self._made(self._kept("parts", pair)), self.job)
        try:
            predict_in_parts(predictor, items(), to=self.to, output=pair.output, parts=parts)
        except InputChangedError:
            log.warning("%s has changed: it is predicted anew", pair.input)
            predict_in_parts(
                predictor, items(), to=self.to, output=pair.output, parts=parts, fresh=True
            )

    def _is_done(self, pair: FilePair) -> bool:
        try:
            record = json.loads(self._record(pair).read_text("utf-8"))
            if pair.output.stat().st_size != record["bytes"]:
                return False
            if record["job"] != self._all.seal:
                return False
            return bool(record["sha256"] == sha256_of(pair.input))
        except (OSError, ValueError, RecursionError, TypeError, LookupError):
            return False

    @cached_property
    def _all(self) -> JobFolder:
        return JobFolder(self.folder / _KEPT, self.job)

    def _delete_results(self, pairs: Iterable[FilePair]) -> None:
        for pair in pairs:
            if self._record(pair).is_file():
                files.remove(self._kept("parts", pair))
                pair.output.unlink(missing_ok=True)
                self._record(pair).unlink()

    def _record(self, pair: FilePair) -> Path:
        path = self._kept("files", pair)
        return path.with_name(f"{path.name}.json")

    def _kept(self, what: str, pair: FilePair) -> Path:
        return self.folder / _KEPT / what / pair.output.relative_to(self.folder)

    def _made(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror}") from error


def _read(data: DataSection, predictor: Models) -> Iterator[Item]:
    try:
        yield from read_items(data, predictor.columns)
    except OSError as error:
        raise UnreadableError(f"{data.source}: {error.strerror or error}") from error
    except UserError as error:
        raise UnreadableError(str(error)) from error
