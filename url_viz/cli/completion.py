"""Completion of commands in a shell: words, options and choices, as a script."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, get_args, get_origin

from typing_extensions import Doc

from url_viz.capabilities import places
from url_viz.capability import Argument, capability, kind_of
from url_viz.cli.doors import showing
from url_viz.cli.help import SUBJECTS
from url_viz.jobs.calls import parameters

BASH = """\
_url_viz() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}}
    local command=${{COMP_WORDS[1]}} words="" values=""
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{first}" -- "$current") $(compgen -d -- "$current"))
        return
    fi
    case "$command" in
{subjects}
    esac
    case "$command $before" in
{choices}
    esac
    case "$command" in
{options}
    esac
    if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$current"))
    else
        COMPREPLY=($(compgen -W "$values" -- "$current") $(compgen -f -- "$current"))
    fi
}}
complete -o filenames -F _url_viz url-viz
"""
SUBJECT = """\
        {subject})
            if [ "$COMP_CWORD" -eq 2 ]; then COMPREPLY=($(compgen -W "{words}" -- "$current")); return; fi
            command="$command ${{COMP_WORDS[2]}}" ;;"""
CHOICE = """\
        "{command} {option}") COMPREPLY=($(compgen -W "{words}" -- "$current")); return ;;"""
OPTIONS = """\
        "{command}") words="{words}" values="{values}" ;;"""


@capability("completion")
def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Doc("the shell that you use")]) -> str:
    """Print a script that completes commands and options in a shell.

    bash: `url-viz completion bash > ~/.local/share/bash-completion/completions/url-viz`; zsh: to `_url-viz.zsh`, which
    `~/.zshrc` sources; fish: `url-viz completion fish > ~/.config/fish/completions/url-viz.fish`.
    """
    if shell == "fish":
        return "\n".join(_fish())
    script = _bash()
    return script if shell == "bash" else f"autoload -U +X bashcompinit && bashcompinit\n{script}"


def _commands() -> dict[tuple[str, ...], tuple[dict[str, tuple[str, ...]], tuple[str, ...]]]:
    """The options of each command, with what can be chosen for each, and the words that stand without an option."""
    found = {}
    for words, entry in places().items():
        what = entry.load()
        every = [*parameters(what), *showing(what)]
        values = [choice for each in every if each.is_positional for choice in _choices(each)]
        found[words] = dict(_options(every)), tuple(values)
    return found


def _choices(argument: Argument) -> tuple[str, ...]:
    """What can be chosen; nothing for text and numbers."""
    kind = kind_of(argument.plain_hint)
    return tuple(map(str, get_args(kind))) if get_origin(kind) is Literal else ()


def _options(arguments: Sequence[Argument]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for each in arguments:
        if each.is_positional:
            continue
        if each.group:
            yield from _options(each.group)
        else:
            yield f"--{each.word}", _choices(each)


def _bash() -> str:
    commands = _commands()
    subjects = {words[0]: [each[1] for each in commands if each[0] == words[0]] for words in commands if len(words) > 1}
    first = sorted({words[0] for words in commands})
    return BASH.format(
        first=" ".join(first),
        subjects="\n".join(SUBJECT.format(subject=name, words=" ".join(below)) for name, below in subjects.items()),
        choices="\n".join(
            CHOICE.format(command=" ".join(words), option=option, words=" ".join(choices))
            for words, (options, _) in commands.items()
            for option, choices in options.items()
            if choices
        ),
        options="\n".join(
            OPTIONS.format(command=" ".join(words), words=" ".join([*options, "--help"]), values=" ".join(values))
            for words, (options, values) in commands.items()
        ),
    )


def _fish() -> Iterator[str]:
    """A line for each word, option and choice."""
    commands, known = _commands(), places()
    for first in sorted({words[0] for words in commands}):
        text = known[(first,)].summary if (first,) in known else SUBJECTS[first]
        yield f"complete -c url-viz -n __fish_use_subcommand -a {first} -d {_quoted(text)}"
    for words, (options, values) in commands.items():
        seen = f"__fish_seen_subcommand_from {words[0]}"
        if len(words) > 1:
            yield f"complete -c url-viz -n '{seen}' -a {words[1]} -d {_quoted(known[words].summary)}"
            seen += f"; and __fish_seen_subcommand_from {words[1]}"
        if values:
            yield f"complete -c url-viz -n '{seen}' -a {_quoted(' '.join(values))}"
        for option, choices in options.items():
            chosen = f" -x -a {_quoted(' '.join(choices))}" if choices else ""
            yield f"complete -c url-viz -n '{seen}' -l {option.removeprefix('--')}{chosen}"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
