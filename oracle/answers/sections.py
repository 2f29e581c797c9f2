"""The lines of an answer that recommend: what stands below "Avoid these:" is left out, drafts too.

A section goes from its heading to the next one. Where a list follows without a heading, it ends the section if a blank
line stands before it and it counts from 1 again or has another kind of marker.
"""

from collections.abc import Iterator

from oracle.answers.headings import Role, avoids, final_label, recommends
from oracle.answers.lines import Located, parts_of

_WITH_ROLES = frozenset({Role.AVOID, Role.AVOIDED, Role.DRAFT, Role.FINAL})


def readings(text: str, located: list[Located]) -> Iterator[list[Located]]:
    """The lines that may be the list, the best reading first: what stands below the last "final list", all but drafts,
    drafts too. The next one is only needed where there is no film in those before."""
    roles = {line.parts.role for line in located}
    if _WITH_ROLES.isdisjoint(roles):
        yield located
        return
    if Role.FINAL in roles:
        final = _below_final(located)
        yield _recommended(text, final, drafts=False)
        if sum(len(line.parts.text.split()) for line in final) < 4:  # cut off
            return
    if Role.DRAFT in roles:
        yield _recommended(text, located, drafts=False)
    yield _recommended(text, located, drafts=True)


def _below_final(located: list[Located]) -> list[Located]:
    at = max(i for i, line in enumerate(located) if line.parts.role is Role.FINAL)
    start, parts = located[at]
    label = final_label(parts.text)
    same_line = [Located(start + parts.body + label, parts_of(parts.text[label:]))] if label else []
    return [*same_line, *located[at + 1 :]]


def _recommended(text: str, located: list[Located], drafts: bool) -> list[Located]:
    """The lines outside of sections that are not recommended; `drafts`: drafts are."""
    kept: list[Located] = []
    heading: Located | None = None  # of a section that is left out
    first: Located | None = None  # entry in it
    above = 0  # where the line above ends
    for line in located:
        parts = line.parts
        if heading and _ends(text, heading, first, line, above):
            heading = first = None
        if parts.role is Role.AVOID or (parts.role is Role.DRAFT and not drafts):
            heading, first = line, None
        elif heading:
            first = first or (line if parts.marked else None)
        elif parts.role is not Role.AVOIDED:
            kept.append(line)
        above = line.start + parts.body + len(parts.text)
    return kept


def _ends(text: str, heading: Located, first: Located | None, line: Located, above: int) -> bool:
    """Whether a line is no more in the section below a heading, whose first numbered or bulleted line is `first`."""
    parts = line.parts
    if heading.parts.marked:
        same_kind = bool(parts.bullet) == bool(heading.parts.bullet)
        return parts.indent <= heading.parts.indent and (parts.role is Role.HEADING or (parts.marked and same_kind))
    if not parts.marked:
        strong = parts.heading or parts.text.endswith((":", "：", ":**"))
        heads = parts.role in (Role.HEADING, Role.FINAL) and (strong or first is not None)
        return heads or (recommends(parts.text) and not avoids(parts.text))
    if not first or text.count("\n", above, line.start) < 2:
        return False
    return bool(parts.bullet) != bool(first.parts.bullet) or parts.number == "1"
