from __future__ import annotations

import click
from click.shell_completion import get_completion_class

# One program under two names.
PROGRAMS = ("cybernetes", "cyb")


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  eval "$(cybernetes completion bash)"
    zsh:   eval "$(cybernetes completion zsh)"
    fish:  cybernetes completion fish | source
    """
    root = ctx.find_root()
    chosen = get_completion_class(shell)
    assert chosen is not None, shell
    for program in PROGRAMS:
        click.echo(chosen(root.command, {}, program, "_CYBERNETES_COMPLETE").source())
