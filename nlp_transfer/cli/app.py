"""The `nlpt` command: its sub-commands, and what an error looks like."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

from nlp_transfer.cli import (
    bench,
    compare,
    demo,
    evaluate,
    export,
    finetune,
    inspect,
    merge,
    predict,
    prepare,
    pretrain,
    publish,
    rank,
    recipes,
    report,
    serve,
    study,
)
from nlp_transfer.cli.mistakes import missing_recipe, unknown_command, unknown_option
from nlp_transfer.errors import (
    BY_SIGNAL,
    ENDING,
    LostProcessError,
    SaidByMainError,
    Stopped,
    UserError,
    ending_signal,
)
from nlp_transfer.files import NO_SPACE
from nlp_transfer.processes import is_main_process, was_launched
from nlp_transfer.processes import rank as process_number
from nlp_transfer.processes.scratch import remove_scratch

_MISTAKE = 2
"""Exit code where the user is to change something."""
_AGAIN = 0.05
"""Seconds until a signal that was swallowed comes again."""
_AFTER_MAIN = 2
"""Seconds that another process waits before it says its mistake."""


_UsageError: type[Exception] = typer.BadParameter.__bases__[0]


class _StoppedError(Exception):
    """A signal that ends the command, under a name for which typer has no ending of its own."""

    def __init__(self, stop: KeyboardInterrupt) -> None:
        super().__init__(str(stop))
        self.by = ending_signal(stop)


class _Commands(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        """Run a command; typer would make a silent exit of a signal."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise _StoppedError(stop) from None
        except _UsageError as error:
            if message := _explained(error):
                raise UserError(message) from None
            raise

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command, or say which one was meant."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            raise UserError(unknown_command(args[0], self.commands))
        if args[:1] == ["study"]:
            args = study.with_search(args)
        return super().resolve_command(ctx, args)


def _explained(error: Any) -> str | None:
    """Say what was meant by an option that there is not, or a recipe without its option."""
    arguments = sys.argv[2:]
    if hasattr(error, "option_name"):
        return unknown_option(sys.argv[1:])
    if getattr(getattr(error, "param", None), "name", None) == "recipe":
        return missing_recipe(sys.argv[1], arguments)
    return None


app = typer.Typer(
    cls=_Commands,
    help="From labelled text to a trustworthy, published model.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for command, panel in (
    (finetune.finetune, "Train"),
    (study.study, "Train"),
    (rank.rank, "Train"),
    (prepare.prepare, "Train"),
    (pretrain.pretrain, "Train"),
    (inspect.inspect, "Train"),
    (evaluate.evaluate, "Use"),
    (predict.predict, "Use"),
    (merge.merge, "Use"),
    (export.export, "Use"),
    (bench.bench, "Use"),
    (report.report, "Use"),
    (compare.compare, "Use"),
    (publish.publish, "Publish"),
    (serve.serve, "Publish"),
    (demo.demo, "Publish"),
):
    app.command(rich_help_panel=panel)(command)
app.add_typer(recipes.app, name="recipes", rich_help_panel="Train")

_NO_ACCESS = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG,
)  # fmt: skip


def _version(wanted: bool) -> None:
    if wanted:
        from nlp_transfer import __version__

        typer.echo(f"nlpt {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line.

    Exit codes: 0 done, 2 the user's input (one message, no traceback), 130 after Ctrl-C, 143 after
    SIGTERM, 138 after SIGUSR1, 1 else.
    """
    if was_launched():
        from nlp_transfer.processes.launcher import end_with_launcher

        end_with_launcher()
    with _ending_in_order():
        _run()


def _run() -> None:
    try:
        app()
    except SaidByMainError:
        sys.exit(_MISTAKE)
    except UserError as error:
        _fail(str(error))
    except LostProcessError as error:
        if is_main_process():
            typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `nlpt predict ... | head`
    except (KeyboardInterrupt, _StoppedError) as stop:
        if is_main_process():
            typer.echo(str(stop) or "interrupted: the same command starts over", err=True)
        by = stop.by if isinstance(stop, _StoppedError) else ending_signal(stop)
        sys.exit(BY_SIGNAL + by)
    except OSError as error:
        if error.errno in NO_SPACE:
            _fail(f"The disk is full: {error}. Free some space and run the same command again.")
        if error.errno in _NO_ACCESS:
            _fail(f"{error.filename or 'A file'} cannot be used: {error.strerror}.")
        raise


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """Let the first signal that asks to end do so in order, and the second one at once."""
    own = os.getpid()

    def end_at_once(number: int, _: FrameType | None) -> None:
        if os.getpid() == own:
            remove_scratch()
        os._exit(BY_SIGNAL + number)

    def first(number: int, frame: FrameType | None) -> None:
        if os.getpid() != own:  # a worker, which the terminal tells as well
            end_at_once(number, frame)
        for each in ours:
            signal.signal(each, end_at_once)
        raise Stopped(by=number)

    def come_again(lost: sys.UnraisableHookArgs) -> None:
        """Send a signal again that came while Python deleted an object, which swallows it."""
        if not isinstance(lost.exc_value, Stopped):
            unraisable(lost)
            return
        for each in ours:
            signal.signal(each, first)
        threading.Timer(_AGAIN, os.kill, (own, lost.exc_value.by)).start()

    # One that is ignored, as for a job in the background, or the caller's own, stays as it is.
    untouched = (signal.SIG_DFL, signal.default_int_handler)
    ours = [number for number in ENDING if signal.getsignal(number) in untouched]
    before = {number: signal.signal(number, first) for number in ours}
    unraisable, sys.unraisablehook = sys.unraisablehook, come_again
    try:
        yield
    finally:
        sys.unraisablehook = unraisable
        for number, handler in before.items():
            # What Python tidies up after a signal can be cut short too.
            if signal.getsignal(number) is first:
                signal.signal(number, handler)


def _fail(message: str) -> None:
    if process_number():
        try:  # the main process mostly says the same; a launcher then ends the others
            time.sleep(_AFTER_MAIN)
        except KeyboardInterrupt:
            sys.exit(_MISTAKE)
    who = f"process {process_number()}" if process_number() else "error"
    typer.echo(f"{who}: {message}", err=True)
    sys.exit(_MISTAKE)
