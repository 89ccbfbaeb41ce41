"""``lightning-grpc completion``: the script that has a shell complete command lines."""

from __future__ import annotations

import rich_click as click

from lightning_grpc.cli.candidates import COMPLETE_VARIABLE
from lightning_grpc.cli.help import Command
from lightning_grpc.cli.output import PROGRAM


@click.command(
    cls=Command,
    examples=[
        ("completion bash > ~/.local/share/bash-completion/completions/lightning-grpc", "for bash"),
        ('completion zsh > "${fpath[1]}/_lightning-grpc"', "for zsh"),
        ("completion fish > ~/.config/fish/completions/lightning-grpc.fish", "for fish"),
    ],
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that has SHELL complete command lines, names of the running app included.

    For the shell that runs: `source <(lightning-grpc completion bash)`; in fish, pipe it to `source`. The app is asked
    for half a second at most; `LIGHTNING_GRPC_COMPLETION_S` says otherwise.
    """
    from click.shell_completion import FishComplete, ZshComplete

    kinds = {"zsh": ZshComplete, "fish": FishComplete}
    script = kinds[shell](ctx.find_root().command, {}, PROGRAM, COMPLETE_VARIABLE).source() if shell in kinds else BASH
    print(script.strip())


BASH = """
_lightning_grpc_completion() {
    local IFS=$'\\n' line kind
    local words="${COMP_WORDS[*]}"
    COMPREPLY=()
    while IFS=',' read -r kind line; do
        case "$kind" in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$line") ;;
        esac
    done < <(COMP_WORDS="$words" COMP_CWORD=$COMP_CWORD _LIGHTNING_GRPC_COMPLETE=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F _lightning_grpc_completion lightning-grpc
"""
