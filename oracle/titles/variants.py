"""Other ways to write a title, and keys to look it up by: the steps of `sql/titles/variants.sql` and `resolve.sql`."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5
from string import ascii_lowercase, ascii_uppercase

import numpy as np

from oracle.titles.normalise import constant, fold, normalise_folded, pattern, wording


@dataclass(frozen=True, slots=True)
class Title:
    """A title, and what titles are compared by: one row of SQL's `title_variants`."""

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

    @property
    def whole_keys(self) -> list[str]:
        """What a shorter way to write another title is compared with: the key, and the wording's after "="."""
        return [self.key, _wording_key(self.key, self.wording)]

    def short_keys(self) -> dict[str, str]:
        """Shorter ways to write the title: their keys as compared (a short tail's is its wording's) -> their normalised keys."""
        if not pattern("could_be_shorter").search(self.text):
            return {}
        marks = pattern("part_marks")
        pieces = marks.split(self.folded) if marks.search(self.folded) else []
        parts = [(words, " ".join(wording(piece))) for piece in pieces if (words := normalise_folded(piece))]
        short = dict(_short_parts([words for words, _ in parts], [text for _, text in parts]))
        after, before = pattern("after_name").search(self.text), pattern("before_movie").search(self.text)
        if after and not pattern("no_name").search(self.text):
            [folded] = fold([after[1]])
            if key := _key(normalise_folded(folded)):
                short[_wording_key(key, " ".join(wording(folded)))] = key
        if before and (key := _key(normalise_folded(fold([before[1]])[0]))):
            short[key] = key
        return short


def _short_parts(parts: list[str], wordings: list[str]) -> Iterator[tuple[str, str]]:
    """Return the keys of a title's first parts, of its last ones, and of the first with the last."""
    sequel, numbered = pattern("sequel_part"), pattern("numbered_part")
    for n in range(1, len(parts)):
        if not any(map(sequel.search, parts[n:])):
            yield (key := _key("".join(parts[:n]))), key
        last = " ".join(parts[n:])
        if " " in last and not numbered.search(last):
            tells = last.count(" ") + 1 >= constant("telling_words")
            yield _key(last) if tells else _wording_key(_key(last), " ".join(wordings[n:])), _key(last)
    if len(parts) > 2:
        yield (key := _key(parts[0] + parts[-1])), key


def _wording_key(key: str, text: str) -> str:
    return "=" + (_key(text) or key)


def _key(words: str) -> str:
    return words.replace(" ", "")


def read_titles(texts: list[str]) -> list[Title]:
    """Bring titles into the forms by which they are compared."""
    return [Title(text, folded, normalise_folded(folded)) for text, folded in zip(texts, fold(texts), strict=True)]


_PLAIN_CASE = str.maketrans(ascii_uppercase, ascii_lowercase)


def plain_case(text: str) -> str:
    """Return a title with the letters of ASCII in small."""
    return text.translate(_PLAIN_CASE)


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
