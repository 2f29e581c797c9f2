"""Lists read in one go against the same lists read step by step: 100,000 random lines, none may differ.

python -m tests.benchmarks.fuzz_answers [--lines N] [--seed S]
"""

import argparse
import random
import re
from collections.abc import Callable

from oracle.answers.parse import _of_region
from oracle.answers.quick import quick_list

# What tempts a pattern: all that the steps cut, count, or take for a label, a credit, a piece of advice or a sentence.
PIECES = [
    "The", "Alien", "X-Men", "of", "the", "and", "a", "you", "your", "like", "try", "watch", "film", "movies", "vs.", "Movie:", "film:", "Title",
    "Title 3:", "Mission: Impossible", "for you: A", "Dr.", "No", "No.", "5", "dir. Ford", "Ford", "3D", "T2", "Directed", "directed by Ford", "starring Bo",
    ", a film", ", The", ", with love", ", TV Series", "TV Series", "by", "By", "by Ann Lee", "By Ann Lee", "1.", "2)", "Vol. 2", "3.5", "12", "2001", "1",
    "2017:", "Rank", "Rank 2:", "Year:", "Genre:", "'Tis", "Ocean's", "’90s", "É", "Ñandú", "ß", "Ночь", "七人", "½", "&", "+", "/", "-", "–", "…", "Oh!", "Why?",
    "Inc.", "(TV)", "[a]", '"', "*", "  ", "\t", "\u200b", "\x85", "\x1c", "\r", "|", "Avoid", "Skip", "avoid", "Not Recommended:", "Left Out", "Final", "List",
    "Draft", "Horror", "Comedy", "Animation", "movie", "tt2380307", "Otto", "I.", "II.", "A.", "Stay Away From", "https://a.b", "year,title", "Recommended",
    "North", "Nope", "Topaz", "Nameless", "Films", "Films:", "Picks:", "Movie1:", "Top10", "No-One", "Noémie", "Choices", "Places 3:", "Numbers:",
]  # fmt: skip
CAPITALS = [p for p in PIECES if p[0].isupper() or p[0].isdigit()]
MARKERS = ["1. ", "2. ", "3. ", "4) ", "10. ", "12. "] * 4 + ["", "0. ", "007. ", "1.", "1.  ", " 1. ", "- ", "## ", "a) ", "(1) ", "1 ", "I. ", "Rank 1: ", "   2. "]  # fmt: skip
ENDS = [" (1979)"] * 12 + ["", " (1869)", " (2036)", "(1979)", " [1979]", " (1979).", " (1979) - good", " (1979) ", " (197)", " 1979", ":", " (TV Series 2017–2020)"]  # fmt: skip
WHOLE = [
    "",
    "",
    "Here are films for you:",
    "Sure!",
    "Avoid these:",
    "Final list:",
    "title,year",
    "Year: 2017",
    "Draft:",
    "I hope you enjoy them!",
    " ",
    "- Saw (2004)",
]


def random_line(choose: Callable) -> str:
    if choose(range(8)) == 0:
        return choose(WHOLE)
    if choose((True, False)):  # of words that the pattern takes, mostly
        words = " ".join(
            [
                choose(CAPITALS),
                *(choose(PIECES if choose(range(6)) == 0 else CAPITALS) for _ in range(choose((0, 1, 2)))),
            ]
        )
        return (
            choose(("", "1. ", "2. ", "3) ")) + words.replace(" ,", ",") + choose((" (1979)", " (1979)", " (2017)", ""))
        )
    words = " ".join(choose(PIECES) for _ in range(choose((1, 1, 1, 2, 2, 3))))
    return choose(MARKERS) + words.replace(" ,", ",") + choose(ENDS)


def random_lines(choose: Callable) -> list[str]:
    lines = [random_line(choose) for _ in range(choose((1, 2, 3, 4)))]
    if choose((True, False)):  # all with numbers, or none
        number = choose(("", "1. "))
        lines = [number + re.sub(r"^\d{1,2}[.)] ", "", line) for line in lines]
    return lines


def difference(text: str) -> tuple[list, list] | None:
    """Both readings, where there are two and they differ."""
    quick = quick_list(text)
    steps = _of_region(text, 0, len(text), tagged=False)
    return None if quick is None or quick == steps else (quick, steps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    choose = random.Random(args.seed).choice
    n_lines = n_quick = n_texts = 0  # n_quick: texts that are read in one go
    while n_lines < args.lines:
        lines = random_lines(choose)
        text = "\n".join(lines)
        if found := difference(text):
            raise SystemExit(f"{text!r} is read as\n{found[0]}\nin one go, and as\n{found[1]}\nstep by step")
        n_lines, n_texts, n_quick = n_lines + len(lines), n_texts + 1, n_quick + (quick_list(text) is not None)
    print(f"{n_lines:,} lines in {n_texts:,} texts, {n_quick:,} of them read in one go: no difference")


if __name__ == "__main__":
    main()
