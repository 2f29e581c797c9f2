"""Queries made of the films of an index, kind by kind: what a person or a model may write for them, and what is no film.

Each kind is a function of a title that returns another way to write it, or None where the title offers no occasion.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa

from oracle.titles.normalise import normalise

Change = Callable[[str, np.random.Generator], str | None]

ARTICLES = "The|A|An|Le|La|Les|El|Los|Las|Der|Die|Das|Il|Lo|Gli|Det|De|Het|Un|Une|Una|Ein|Eine|O|Os"
SAFE_TO_DROP = ("The ", "A ", "An ", "Le ", "La ", "Les ", "El ", "Los ", "Der ", "Die ", "Das ", "Il ")
ROMAN = ["II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"]
NUMBERS = {"Two": "2", "Three": "3", "Four": "4", "Five": "5", "Six": "6", "Seven": "7", "Eight": "8", "Nine": "9", "Ten": "10", "Twelve": "12"}  # fmt: skip
SPELLINGS = [("theatre", "theater"), ("centre", "center"), ("grey", "gray"), ("defence", "defense"),
             ("dialogue", "dialog"), ("traveller", "traveler"), ("jewellery", "jewelry"), ("organise", "organize")]  # fmt: skip
SPELT = re.compile(r"\b(col|hon|hum|lab|rum|harb|neighb|fav|arm|vap|sav)(our|or)(s|ed|ing|ful|able|hood)?\b", re.I)
FRONT_ARTICLE = re.compile(rf"^(L'|(?:{ARTICLES}) )(\S.*)$")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def different(changed: str | None, title: str) -> str | None:
    return changed if changed and changed.strip() and changed != title else None


def moved_article(title: str, _: np.random.Generator) -> str | None:
    found = FRONT_ARTICLE.match(title)
    return f"{found[2]}, {found[1].strip()}" if found else None


def dropped_article(title: str, _: np.random.Generator) -> str | None:
    return next((title[len(a) :] for a in SAFE_TO_DROP if title.startswith(a) and len(title) > len(a) + 5), None)


def swapped_and(title: str, _: np.random.Generator) -> str | None:
    return title.replace(" & ", " and ") if " & " in title else different(title.replace(" and ", " & "), title)


def other_numeral(title: str, _: np.random.Generator) -> str | None:
    head, _, last = title.rpartition(" ")
    if head and last in ROMAN:
        return f"{head} {ROMAN.index(last) + 2}"
    if head and last.isdigit() and 2 <= int(last) <= 10:
        return f"{head} {ROMAN[int(last) - 2]}"
    word = next((word for word in title.split() if word in NUMBERS), None)
    return title.replace(word, NUMBERS[word], 1) if word else None


def other_spelling(title: str, _: np.random.Generator) -> str | None:
    """British as American, or the other way round."""
    swapped = SPELT.sub(lambda m: m[1] + ("or" if m[2].lower() == "our" else "our") + (m[3] or ""), title)
    for one, other in [*SPELLINGS, *((american, british) for british, american in SPELLINGS)]:
        if swapped == title:
            swapped = re.sub(
                rf"\b{one}", lambda m, to=other: to.capitalize() if m[0][0].isupper() else to, title, flags=re.I
            )
    return different(swapped, title)


def without_subtitle(title: str, _: np.random.Generator) -> str | None:
    head, colon, tail = title.partition(": ")
    return head if colon and len(head) > 3 and not re.match(r"(?i)(part|vol|chapter|episode|book)\b|\d", tail) else None


def without_accents(title: str, _: np.random.Generator) -> str | None:
    return different("".join(c for c in unicodedata.normalize("NFKD", title) if not unicodedata.combining(c)), title)


def without_signs(title: str, _: np.random.Generator) -> str | None:
    return different(re.sub(r"[^\w\s]", "", title), title)


def slip(title: str, rng: np.random.Generator) -> str | None:
    """A letter left out, put in, changed, or swapped with the next: not the first one, and no digit."""
    places = [n for n in range(1, len(title) - 1) if title[n].isalpha() and title[n + 1].isalpha()]
    if not places:
        return None
    place, letter = int(rng.choice(places)), LETTERS[rng.integers(26)]
    head, here, tail = title[:place], title[place], title[place + 1 :]
    made = [head + tail, head + letter + here + tail, head + letter + tail, head + tail[0] + here + tail[1:]]
    return different(made[rng.integers(4)], title)


def one_slip(title: str, rng: np.random.Generator) -> str | None:
    return slip(title, rng) if sum(map(str.isalpha, title)) >= 8 else None


def two_slips(title: str, rng: np.random.Generator) -> str | None:
    return slip(slip(title, rng) or title, rng) if sum(map(str.isalpha, title)) >= 16 else None


def other_order(title: str, rng: np.random.Generator) -> str | None:
    words = title.split()
    if len(words) < 3 or not title.replace(" ", "").isalpha():
        return None
    place = int(rng.integers(len(words) - 1))
    words[place], words[place + 1] = words[place + 1], words[place]
    return different(" ".join(words), title)


def sequel(title: str, rng: np.random.Generator) -> str | None:
    if re.search(r"\d|\b[IVX]+\b|[?!:(]", title):
        return None
    number = int(rng.integers(2, 10))
    return f"{title} {number if rng.random() < 0.5 else ROMAN[number - 2]}"


FOUND: dict[str, Change] = {
    "as stored": lambda title, _: title,
    "other case": lambda title, rng: different(title.upper() if rng.random() < 0.5 else title.lower(), title),
    "without accents": without_accents,
    "without signs": without_signs,
    "article behind (Matrix, The)": moved_article,
    "article left out": dropped_article,
    "& and and": swapped_and,
    "other numerals": other_numeral,
    "colour, color": other_spelling,
    "without the subtitle": without_subtitle,
    "The Movie behind": lambda title, _: (
        None if re.search(r"(?i)movie|film|[:?!)]|\d$", title) else f"{title}: The Movie"
    ),
    "one slip, 8 letters and more": one_slip,
    "two slips, 16 letters and more": two_slips,
    "neighbouring words swapped": other_order,
}


def made_up_queries(titles: pa.Table, each: int, seed: int) -> tuple[pa.Table, pa.Table]:
    """Return (titles without one film in ten, queries: kind, title, year, imdb_id with null = no film of the rest).

    Films that have a namesake are left out where a query would not say which one is meant.
    """
    rng = np.random.default_rng(seed)
    ids = titles["imdb_id"].to_pylist()
    films = sorted(set(ids))
    held_out = {films[n] for n in rng.choice(len(films), len(films) // 10, replace=False)}
    forms = titles.append_column("key", normalise(titles["title"])).to_pylist()
    stored = [form for form in forms if form["imdb_id"] not in held_out]
    rest = titles.filter(pa.array([film not in held_out for film in ids]))
    maker = _Maker(stored, [form for form in forms if form["imdb_id"] in held_out and form["is_primary"]], each, rng)
    rows = list(maker.queries())
    return rest, pa.Table.from_pylist(rows, pa.schema([("kind", pa.string()), ("title", pa.string()), ("year", pa.int16()), ("imdb_id", pa.string())]))  # fmt: skip


class _Maker:
    """Makes queries of films, and knows which others are called the same."""

    def __init__(self, stored: list[dict], unlisted: list[dict], each: int, rng: np.random.Generator) -> None:
        self.each, self.rng, self.unlisted = each, rng, unlisted
        self.films = [form for form in stored if form["is_primary"] and form["year"] is not None]
        self.named: dict[str, dict[str, int]] = defaultdict(dict)  # key -> film -> year
        for form in stored:
            self.named[form["key"].replace(" ", "")][form["imdb_id"]] = form["year"]
        self.words = Counter(
            word for form in stored for word in form["title"].split() if word.isalpha() and len(word) > 3
        )

    def queries(self) -> Iterator[dict]:
        for kind, change in FOUND.items():
            yield from self.take(
                kind, lambda film, c=change: (c(film["title"], self.rng), film["year"], film["imdb_id"])
            )
        for apart in (1, 2):
            yield from self.take(
                f"year {apart} off, no namesake",
                lambda film, a=apart: (film["title"], film["year"] + self.sign() * a, film["imdb_id"]),
            )
        yield from self.take("no year, no namesake", lambda film: (film["title"], None, film["imdb_id"]))
        yield from self.take(
            "no film: year 3 to 20 off",
            lambda film: (film["title"], film["year"] + self.sign() * int(self.rng.integers(3, 21)), None),
        )
        yield from self.take(
            "no film: a sequel that was not made",
            lambda film: (sequel(film["title"], self.rng), film["year"] + int(self.rng.integers(0, 6)), None),
        )
        yield from self.take(
            "no film: one word is another", lambda film: (self.other_word(film["title"]), film["year"], None)
        )
        yield from self.take(
            "no film: halves of two titles", lambda film: (self.halves(film["title"]), film["year"], None)
        )
        for number in self.rng.permutation(len(self.unlisted))[: 5 * self.each].tolist():
            film = self.unlisted[number]
            if not self.near(film["title"], film["year"], 0):
                yield {
                    "kind": "no film: a real one that is not stored",
                    "title": film["title"],
                    "year": film["year"],
                    "imdb_id": None,
                }

    def take(self, kind: str, make: Callable[[dict], tuple[str | None, int | None, str | None]]) -> Iterator[dict]:
        """Make queries of films in random order until there are enough; one that may mean another film is left out."""
        made = 0
        for number in self.rng.permutation(len(self.films)).tolist():
            title, year, film = make(self.films[number])
            if (
                title is None
                or self.near(title, year, 2, film)
                or (film and self.near(self.films[number]["title"], year, 4, film))
            ):
                continue
            yield {"kind": kind, "title": title, "year": year, "imdb_id": film}
            made += 1
            if made == self.each:
                return

    def near(self, title: str, year: int | None, most: int, but: str | None = None) -> bool:
        """Whether a film (other than one) has this title in the years near this one; without a year, in any."""
        key = normalise(pa.array([title]))[0].as_py().replace(" ", "")
        years = [y for film, y in self.named.get(key, {}).items() if film != but]
        return any(year is None or y is None or abs(y - year) <= most for y in years)

    def sign(self) -> int:
        return 1 if self.rng.random() < 0.5 else -1

    def other_word(self, title: str) -> str | None:
        words = title.split()
        places = [n for n, word in enumerate(words) if word in self.words]
        if len(words) < 2 or not places:
            return None
        known = list(self.words)
        words[int(self.rng.choice(places))] = known[self.rng.integers(len(known))]
        return different(" ".join(words), title)

    def halves(self, title: str) -> str | None:
        other = self.films[self.rng.integers(len(self.films))]["title"].split()
        words = title.split()
        if len(words) < 2 or len(other) < 2:
            return None
        return " ".join(words[: (len(words) + 1) // 2] + other[len(other) // 2 :])
