"""Other ways to write a title, and keys to look it up by: the steps of `sql/titles/variants.sql` and `resolve.sql`."""

from dataclasses import dataclass
from hashlib import md5

import numpy as np

from oracle.titles.normalise import fold, normalise_folded, pattern, wording


@dataclass(frozen=True, slots=True)
class Title:
    """A title in the forms by which titles are compared."""

    text: str
    folded: str
    words: str  # normalised

    @property
    def key(self) -> str:
        return self.words.replace(" ", "")

    @property
    def wording(self) -> str:
        return " ".join(wording(self.folded))

    @property
    def bare(self) -> str:
        """The words without a foreign article in front."""
        return pattern("foreign_article").sub(r"\1", self.words)

    @property
    def bag(self) -> str:
        """The words in alphabetical order."""
        return " ".join(sorted(self.words.split(" "), key=str.encode))

    def short_forms(self) -> list[str]:
        """Shorter ways to write the title, normalised."""
        if not pattern("could_be_shorter").search(self.text):
            return []
        marks = pattern("part_marks")
        parts = [normalise_folded(part) for part in marks.split(self.folded)] if marks.search(self.folded) else []
        parts = [part for part in parts if part]
        sequel, numbered = pattern("sequel_part"), pattern("numbered_part")
        first = [" ".join(parts[:n]) for n in range(1, len(parts)) if not any(map(sequel.search, parts[n:]))]
        last = [" ".join(parts[n:]) for n in range(1, len(parts))]
        forms = first + [words for words in last if " " in words and not numbered.search(words)]
        if len(parts) > 2:
            forms.append(f"{parts[0]} {parts[-1]}")
        for macro in ("after_name", "before_movie"):
            found = pattern(macro).search(self.text)
            forms += [normalise_folded(text) for text in fold([found[1]])] if found else []
        return [form for form in forms if form]


def read_titles(texts: list[str]) -> list[Title]:
    """Bring titles into the forms by which they are compared."""
    return [Title(text, folded, normalise_folded(folded)) for text, folded in zip(texts, fold(texts), strict=True)]


def word_class(words: str) -> int:
    """1 to 4: the number of words, 4 = more."""
    return min(4, words.count(" ") + 1)


def half_keys(key: str, length: int) -> list[str]:
    """Return keys of both halves that a key of this length has, if it begins or ends as `key` does."""
    half = (length - 1) // 2
    return [f"<{length}{key[:half]}", f">{length}{key[max(len(key) - half, 0) :]}"]


def key_hashes(keys: list[str]) -> np.ndarray:
    """Return 32 bits of each key's hash (uint32), the same as SQL's `key_hash`."""
    digests = b"".join([md5(key.encode(), usedforsecurity=False).digest() for key in keys])
    return np.frombuffer(digests, "<u4").reshape(-1, 4)[:, 3]
