"""Settings from flags, YAML files and presets. Imports nothing that is slow, so that `--help` answers at once."""

import argparse
import json
from collections.abc import Iterator
from copy import copy
from dataclasses import asdict, dataclass, fields
from functools import reduce
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Generic, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import yaml

from oracle.base.errors import UserError, in_a_line
from oracle.base.files import check_readable
from oracle.base.flags import FlagParser
from pipeline.settings.flags import CONFIGS, CommonSettings, TrainSettings

PRESETS = CONFIGS / "presets"
LARGEST_YAML = 40_000  # bytes; YAML is read slowly, and settings are few
_DEEPEST = 20  # brackets
_BOOL = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
Settings = TypeVar("Settings", bound=CommonSettings)


@dataclass(frozen=True)
class Parsed(Generic[Settings]):
    """Settings, and where they are from.

    Attributes:
        is_demo: no dataset is named, so that the bundled demo's settings hold.
        given: names of the settings that a flag or the config file set.
        of_run: the settings of the run to go on with, for `--resume`.
    """

    settings: Settings
    is_demo: bool
    given: frozenset[str]
    of_run: Settings | None = None


class _Loader(yaml.SafeLoader):
    """YAML that is small once it is read: an alias of a few bytes may stand for a billion values."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.AliasEvent):
            self._refuse("an alias; write the value itself", self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def fetch_flow_collection_start(self, token):
        if self.flow_level > _DEEPEST:  # the scanner's time grows with the square of it
            self._refuse("nested too deeply", self.get_mark())
        return super().fetch_flow_collection_start(token)

    def _refuse(self, told: str, mark: yaml.Mark) -> NoReturn:
        raise yaml.YAMLError(f"line {mark.line + 1}: {told}")


class SettingsParser(FlagParser):
    """The flags of a settings dataclass; flags that are not given are left out of what it parses."""

    def __init__(self, kind: type, prog: str, description: str | None = None):
        super().__init__(prog=prog, description=description, allow_abbrev=False, formatter_class=_Help)
        hints = get_type_hints(kind)
        for f in fields(kind):
            spellings = dict.fromkeys((f"--{f.name}", f"--{f.name.replace('_', '-')}"))
            arguments = _argument_of(hints[f.name]) | f.metadata["argument"]
            self.add_argument(*spellings, dest=f.name, default=None, help=f.metadata["help"], **arguments)

    def given(self, argv: list[str]) -> dict[str, Any]:
        """What `argv` sets; the defaults are left to the dataclass. Raises `UserError` for what is no flag."""
        namespace, unknown = self.parse_known_args(argv)
        if unknown:
            name = unknown[0].split("=")[0].lstrip("-")
            is_trls = "trl" in vars(namespace) and name in _trl_fields()
            hint = f" (an option of TRL's: --trl {name}=VALUE)" if is_trls else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
        return {name: value for name, value in vars(namespace).items() if value is not None}


def parse_settings(kind: type[Settings], prog: str, argv: list[str], demo: str, help: str = "") -> Parsed[Settings]:
    """Settings from `argv`; `help` stands above the flags in `--help`.

    Precedence: flags, then the YAML file of `--config`, then that of `--preset`, then (with --resume) the settings of the
    run, then (without any train_path) the section `demo` of configs/demo.yaml, then the defaults. Of `trl` each option by
    itself.

    Raises:
        UserError: an unknown or mistyped flag or key, a config file that can't be read, or no such run.
    """
    parser = SettingsParser(kind, prog, help or kind.__doc__)
    parser.add_argument("--config", metavar="YAML", help="File of settings with the same names; flags override it.")
    if kind is TrainSettings:
        names = sorted(path.stem for path in PRESETS.glob("*.yaml"))
        parser.add_argument("--preset", choices=names, help="Settings of published work, in place of the defaults.")
    flags = parser.given(argv)
    config, name = flags.pop("config", None), flags.pop("preset", None)
    if config == "":  # an unset variable of a shell, which must not train with the defaults
        raise UserError('--config "": expected the path of a YAML file')
    given = _over(_from_file(kind, Path(config)) if config else {}, flags)
    preset = _from_file(kind, PRESETS / f"{name}.yaml") if name else {}
    if "resume" in given:
        from pipeline.training.runs import find_run

        run = find_run(given["resume"], given.get("output_dir"))
        of_run = kind(**_from_file(kind, run / "settings.yaml") | {"output_dir": str(run)})
        if of_run.train_path is None:
            raise UserError(f"{run / 'settings.yaml'}: has no train_path; bring it back, or start a new run")
        now = kind(**_over(asdict(of_run), preset, given, {"resume": str(run)}))
        return Parsed(now, False, frozenset(given), of_run)
    is_demo = "train_path" not in _over(preset, given)
    base = _from_file(kind, CONFIGS / "demo.yaml", section=demo) if is_demo else {}
    return Parsed(kind(**_over(base, preset, given)), is_demo, frozenset(given))


def as_yaml(settings: CommonSettings) -> str:
    return yaml.safe_dump(asdict(settings), sort_keys=False, allow_unicode=True)


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=32, width=120)

    def _format_usage(self, usage, actions, groups, prefix):
        return ""  # sixty flags in brackets say nothing that the list below them doesn't

    def _format_action_invocation(self, action):
        """One spelling of a flag: `--lora-r` works as well, and needs no telling sixty times."""
        shown = copy(action)
        shown.option_strings = [o for o in action.option_strings if "-" not in o[2:]]
        return super()._format_action_invocation(shown)


def _argument_of(hint: Any) -> dict[str, Any]:
    """What argparse is told of a type: bool, int, float, str, a Literal, a list of one of them, or one of them or None."""
    if isinstance(hint, UnionType):
        [hint] = [part for part in get_args(hint) if part is not NoneType]
    if get_origin(hint) is Literal:
        return {"choices": get_args(hint)}
    if get_origin(hint) is list:
        return {"nargs": "+", "type": get_args(hint)[0]}
    if hint is bool:
        return {"nargs": "?", "const": True, "type": _truth}
    return {"type": hint}


def _truth(text: str) -> bool:
    if text.lower() not in _BOOL:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return _BOOL[text.lower()]


def _over(*layers: dict[str, Any]) -> dict[str, Any]:
    """Settings, the later ones over the earlier ones; `trl` is a list of NAME=VALUE, each of which is one."""

    def one_over(below: dict, above: dict) -> dict:
        trl = {text.partition("=")[0]: text for text in [*below.get("trl", []), *above.get("trl", [])]}
        return below | above | ({"trl": [*trl.values()]} if trl else {})

    return reduce(one_over, layers, {})


def _trl_fields() -> set[str]:
    from trl import GRPOConfig  # slow to import, and rarely needed here

    return set(GRPOConfig.__dataclass_fields__)


def _from_file(kind: type[CommonSettings], path: Path, section: str | None = None) -> dict[str, Any]:
    """The settings in a YAML file, checked as flags are."""
    check_readable(path)
    if path.stat().st_size > LARGEST_YAML:
        raise UserError(f"{path}: is no file of settings, which has at most {LARGEST_YAML:,} bytes")
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader) or {}
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{path}: can't be read as YAML ({in_a_line(error)})") from None
    content = content[section] if section else content
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a mapping of settings; the names are those of the flags, without the dashes")
    if unknown := sorted(str(name) for name in content.keys() - kind.__dataclass_fields__.keys()):
        names = ", ".join(map(repr, unknown))
        raise UserError(f"{path}: unknown setting {names}; the names are those of the flags, without the dashes")
    hints = get_type_hints(kind)
    try:
        tokens = [token for name, value in content.items() for token in _tokens(name, value, hints[name])]
        return SettingsParser(kind, path.name).given(tokens)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except ValueError:
        raise UserError(f"{path}: a number has over 4,300 digits; no setting takes such a number") from None


def _tokens(name: str, value: object, hint: Any) -> Iterator[str]:
    """A setting of a YAML file as flags; a mapping becomes NAME=VALUE."""
    if value is False and "no" in get_args(hint):
        value = "no"  # as YAML reads it
    if isinstance(value, dict):
        value = [f"{key}={v if isinstance(v, str) else json.dumps(v)}" for key, v in value.items() if v is not None]
    if isinstance(value, list) and (value or name == "lora_target_modules"):
        yield from (f"--{name}", *map(str, value))
    elif value is not None and value != []:
        yield f"--{name}={value}"
