"""What our texts call the things that a store recommends: films, or what the store's domain says."""

import re
from dataclasses import dataclass

from oracle.base.printable import one_line

_FILM = re.compile(r"\b((?:[Aa]n? )?)([Ff])ilm(s?)\b")


@dataclass(frozen=True)
class Nouns:
    """The nouns of a domain, which somebody's file says: each is one printable line."""

    one: str = "film"
    many: str = "films"

    def __post_init__(self) -> None:
        for name in ("one", "many"):
            object.__setattr__(self, name, one_line(getattr(self, name)))

    def __call__(self, text: str) -> str:
        """One of our own texts about films, in these nouns: "A film" -> "An app".

        Data is filled in afterwards, for a title or a trait may have the word.
        """
        return text if self == FILMS else _FILM.sub(self._noun, text)

    def _noun(self, found: re.Match[str]) -> str:
        article, initial, plural = found.groups()
        noun = self.many if plural else self.one
        if article:
            article = article[0] + ("n " if noun[0].lower() in "aeiou" else " ")
        return article + (noun[0].upper() + noun[1:] if initial == "F" else noun)


FILMS = Nouns()
