"""The names of traits: in full, or any short form that fits one trait only."""

from collections.abc import Iterable, Sequence

from rapidfuzz import fuzz, process

from oracle.base.errors import UserError


class TraitNames:
    """Finds the trait that a name means: in full, any unambiguous short form, or an everyday word, whatever its case."""

    def __init__(self, names: Sequence[str], synonyms: Sequence[Sequence[str]] = ()) -> None:
        """`synonyms`: everyday words for each trait, in the order of `names`."""
        self.names = list(names)
        self.synonyms = [list(words) for words in synonyms] or [[] for _ in self.names]
        self._numbers: dict[str, int] = {name: number for number, name in enumerate(self.names)}

    def number(self, name: str) -> int:
        """Return the position of the trait that `name` means; `UserError` where none or several fit."""
        if name not in self._numbers:
            self._numbers[name] = self._search(name)
        return self._numbers[name]

    def resolve(self, names: Iterable[str]) -> list[str]:
        """Return the full names in the order given, each once: one trait has several short names."""
        return list(dict.fromkeys(self.names[self.number(name)] for name in names))

    def _search(self, name: str) -> int:
        if not isinstance(name, str) or not name.strip():
            raise UserError(f"{name!r} is no trait name; the traits are: {'; '.join(self.names)}")
        wanted = _words(name)
        padded = [f" {_words(full)} " for full in self.names]
        # The whole name, an everyday word, its beginning, whole words in it, then any part: the first that one trait fits.
        fits: list[int] = []
        for pattern_fits in (
            [number for number, full in enumerate(padded) if full.strip() == wanted],
            [number for number, words in enumerate(self.synonyms) if wanted in map(_words, words)],
            [number for number, full in enumerate(padded) if full.startswith(f" {wanted}")],
            [number for number, full in enumerate(padded) if f" {wanted} " in full],
            [number for number, full in enumerate(padded) if wanted in full],
        ):
            if len(pattern_fits) == 1:
                return pattern_fits[0]
            fits = fits or pattern_fits
        if fits:
            raise UserError(
                f"trait {name!r} fits {len(fits)} traits: {'; '.join(self.names[number] for number in fits)}; say which"
            )
        nearest = process.extract(name, self.names, scorer=fuzz.WRatio, limit=3)
        raise UserError(f"no trait {name!r}; the nearest are: {'; '.join(full for full, _, _ in nearest)}")


def _words(name: str) -> str:
    """Lower case, with one space between words of letters and digits."""
    return " ".join("".join(letter if letter.isalnum() else " " for letter in name.casefold()).split())
