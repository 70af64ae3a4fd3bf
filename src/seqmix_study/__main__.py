"""The ``seqmix`` command: one file in ``seqmix_study/commands`` a subcommand, which defines ``command``."""

import importlib
import os
import pkgutil
import unicodedata

import click

from seqmix import __version__
from seqmix.files import REMEDIES, disk_error
from seqmix_study import commands
from seqmix_study.commands._common import say
from seqmix_study.results.published import CollectError

STOPPED = "stopped; what was trained is saved. Start the same command again to go on."


class Commands(click.Group):
    """A click group that says what is wrong in one sentence."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse a name whose control characters would make a line of their own of it in what is said."""
        if odd := next((word for word in args if any(unicodedata.category(c) == "Cc" for c in word)), ""):
            raise click.UsageError(f"{odd!r} holds control characters: give the file another name")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Call the command; an error of our own is one sentence, never a traceback.

        A wrong request (our ValueErrors) ends with exit code 2, what failed or cannot be trusted with 1, Ctrl-C with
        130 and SIGTERM with 143.
        """
        try:
            return super().invoke(ctx)
        except (ValueError, RuntimeError) as error:
            if not type(error).__module__.startswith("seqmix"):
                raise
            refused, code = error, 2 if isinstance(error, ValueError) and not isinstance(error, CollectError) else 1
        except OSError as error:
            if error.errno not in REMEDIES:
                raise
            refused, code = disk_error(error.filename or "the output", error, "read or write"), 1
        except KeyboardInterrupt as stopped:
            refused, code = STOPPED, getattr(stopped, "exit_code", 130)
        except click.ClickException as error:
            refused, code = error.format_message(), error.exit_code
        say(f"seqmix {ctx.invoked_subcommand}: {refused}", err=True)
        return ctx.exit(code)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="seqmix")
def main() -> None:
    """LSTM, Transformer, or a mix of both? Plan, run, analyse and publish the study.

    Exit codes: 0 done, 1 something failed (the message says what), 2 the request itself is wrong.
    """
    for name in ("SEQMIX_ROOT", "SEQMIX_RUNS", "SEQMIX_CACHE"):
        if os.environ.get(name):  # a relative folder means the caller's, whoever is started from here
            os.environ[name] = os.path.abspath(os.path.expanduser(os.environ[name]))


for _, name, _ in pkgutil.iter_modules(commands.__path__):
    if not name.startswith("_"):
        main.add_command(importlib.import_module(f"seqmix_study.commands.{name}").command)

if __name__ == "__main__":
    main()
