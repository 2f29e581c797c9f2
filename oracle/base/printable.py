"""Text that others wrote, made harmless to whoever reads it: a terminal obeys control characters, and a line can be forged."""

import json

# What steers a terminal or turns a line around, shown by its number instead of being obeyed; and halves of characters, which
# no file and no page can hold.
_HALVES = range(0xD800, 0xE000)
_STEERING = {
    code: f"[U+{code:04X}]"
    for code in (*range(0x20), *range(0x7F, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A), *_HALVES, 0xFEFF)
    if chr(code) not in "\t\n\r"
}
STEERING = "[" + "".join(f"\\x{{{code:X}}}" for code in _STEERING if code not in _HALVES) + "]"
"""A regular expression (RE2) that finds what `visible` shows in text that is valid."""

LONGEST = 1900
"""Characters of a line for people that may hold the names and texts of a file."""

_AS_NUMBERS = {code: sign for code, sign in _STEERING.items() if code in _HALVES}
_BREAKS = {ord(sign): f"[U+{ord(sign):04X}]" for sign in "\t\n\r"}

_IN_JSON = {code: f"\\u{code:04x}" for code in _STEERING if code >= 0x20}  # JSON has numbers of its own for those below


def storable_text(text: str) -> str:
    """Text as UTF-8 can hold it: bytes of a file's name that are no text, and other halves of characters, as [U+DCE9]."""
    return text.translate(_AS_NUMBERS)


def storable_json(value: object) -> str:
    """A value as JSON of such text: DuckDB takes JSON with half a character for none."""
    return storable_text(json.dumps(value, ensure_ascii=False))


def visible(text: object) -> str:
    """Untrusted text of one or more lines, its control characters and direction overrides shown as [U+202E]."""
    return str(text).translate(_STEERING)


def one_line(text: object) -> str:
    """Untrusted text as a part of one line of a terminal: line breaks and tabs are shown by their numbers too."""
    return str(text).translate(_STEERING | _BREAKS)


def in_short(text: object) -> str:
    """The same as `one_line`, of at most `LONGEST` characters: what is between the beginning and the end is left out."""
    said = str(text)
    if len(said) > LONGEST:
        said = f"{said[: LONGEST - LONGEST // 4 - 3]} … {said[-LONGEST // 4 :]}"
    return one_line(said)


def in_json(written: str) -> str:
    """JSON, the control characters and direction overrides in its strings by their numbers: the same JSON, and harmless."""
    return written.translate(_IN_JSON)
