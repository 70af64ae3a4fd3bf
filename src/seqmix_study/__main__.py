"""The ``seqmix`` command: one file in ``seqmix_study/commands`` a subcommand, loaded only when it is called."""

import importlib
import pkgutil

import click

from seqmix import __version__
from seqmix_study import commands


class LazyGroup(click.Group):
    """A click group whose subcommands are the modules of ``seqmix_study.commands``; each defines ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        names = (module.name for module in pkgutil.iter_modules(commands.__path__))
        return sorted(name for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(ctx):
            return None
        return importlib.import_module(f"seqmix_study.commands.{name}").command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="seqmix")
def main() -> None:
    """LSTM, Transformer, or a mix of both? Plan, run, analyse and publish the study.

    Exit codes: 0 done, 1 something failed (the message says what), 2 the request itself is wrong.
    """


if __name__ == "__main__":
    main()
