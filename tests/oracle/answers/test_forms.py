"""Forms of lines: markers, years before and behind the title, spans of years, by-lines."""

import pytest

from oracle import parse_recommendations

BOTH = [("Coco", 2017), ("Up", 2009)]

MARKERS = {
    "Rank 1: Coco (2017)\nRank 2: Up (2009)": BOTH,
    "Rank #1 - Coco (2017)\nRank #2 - Up (2009)": BOTH,
    "**Rank 1:** Coco (2017)\n**Rank 2:** Up (2009)": BOTH,
    "#1: Coco (2017)\n#2: Up (2009)": BOTH,
    "Number 1: Coco (2017)\nNumber 2: Up (2009)": BOTH,
    "I. Coco (2017)\nII. Up (2009)": BOTH,
    "i. Coco (2017)\nii. Up (2009)": BOTH,
    "(i) Coco (2017)\n(ii) Up (2009)": BOTH,
    "I) Coco (2017)\nII) Up (2009)": BOTH,
    "**I.** Coco (2017)\n**II.** Up (2009)": BOTH,
    "A. Coco (2017)\nB. Up (2009)": BOTH,
    "Movie 1: Coco (2017)\nMovie 2: Up (2009)": BOTH,
    "Recommendation 1: Coco (2017)\nRecommendation 2: Up (2009)": BOTH,
    "Recommendation #1: **Coco** (2017)\nRecommendation #2: **Up** (2009)": BOTH,
    "1st: Coco (2017)\n2nd: Up (2009)": BOTH,
    "RANK 1. Coco (2017)\nRANK 2. Up (2009)": BOTH,
    "Rank 1. Coco, 2017\nRank 2. Up, 2009": BOTH,
    "No. 1: Coco (2017)\nNo. 2: Up (2009)": BOTH,
    "Rank 1 – Coco (2017)\nRank 2 – Up (2009)": BOTH,
    "- Rank 1: Coco (2017)\n- Rank 2: Up (2009)": BOTH,
    "I - Coco (2017)\nII - Up (2009)": BOTH,
    "Top 1: Coco (2017)\nTop 2: Up (2009)": BOTH,
    "Pick #1: Coco (2017)\nPick #2: Up (2009)": BOTH,
    "### Rank 1: Coco (2017)\n### Rank 2: Up (2009)": BOTH,
    "[Rank 1] Coco (2017)\n[Rank 2] Up (2009)": BOTH,
    "Rank 1 Coco (2017)\nRank 2 Up (2009)": BOTH,
    "1. Rank 1: Coco (2017)\n2. Rank 2: Up (2009)": BOTH,
}  # fmt: skip

YEAR_FORMS = {
    "1. 2017: Coco\n2. 2009: Up": BOTH,
    "2017: Coco\n2009: Up": BOTH,
    "- 2017: Coco\n- 2009: Up": BOTH,
    "1. 2017 - Coco\n2. 2009 - Up": BOTH,
    "1. (2017) Coco\n2. (2009) Up": BOTH,
    "1. [2017] Coco\n2. [2009] Up": BOTH,
    "2017 – Coco\n2009 – Up": BOTH,
    "1. Coco 2017\n2. Up 2009": BOTH,
    "Coco 2017\nUp 2009": BOTH,
    "- Coco 2017\n- Up 2009": BOTH,
    "1. **Coco** 2017\n2. **Up** 2009": BOTH,
    "1. 2017 Coco\n2. 2009 Up": BOTH,
    "2017, Coco\n2009, Up": BOTH,
    "1. Coco (2017 film)\n2. Up (2009 film)": BOTH,
    "1. Coco (released in 2017)\n2. Up (released in 2009)": BOTH,
    "1. Coco (Year: 2017)\n2. Up (Year: 2009)": BOTH,
    "1. Coco, released 2017\n2. Up, released 2009": BOTH,
    "1. Coco / 2017\n2. Up / 2009": BOTH,
    "1. Coco: 2017\n2. Up: 2009": BOTH,
    "1. Coco -- 2017\n2. Up -- 2009": BOTH,
    "1. Coco; 2017\n2. Up; 2009": BOTH,
    "(2017) Coco\n(2009) Up": BOTH,
    "1. Coco (November 2017)\n2. Up (November 2009)": BOTH,
    "1. Coco (USA, 2017)\n2. Up (USA, 2009)": BOTH,
    "1. Coco (Pixar, 2017)\n2. Up (Pixar, 2009)": BOTH,
    "1. Coco 2017 - a lovely film about a boy\n2. Up 2009 - a lovely film about a boy": BOTH,
    "1. Blade Runner 2049\n2. 2001: A Space Odyssey\n3. Wonder Woman 1984": [("Blade Runner 2049", None), ("2001: A Space Odyssey", None), ("Wonder Woman 1984", None)],
    "1. Coco (2017)\n2. Wonder Woman 1984\n3. 2012\n4. Up (2009)": [("Coco", 2017), ("Wonder Woman 1984", None), ("2012", None), ("Up", 2009)],
    "1. 1917 2019\n2. Up 2009": [("1917", 2019), ("Up", 2009)],
}  # fmt: skip

SPANS = {
    "1. Breaking Bad (2008–2013)\n2. Dark (TV Series 2017–2020)\n3. Severance (2022– )": [("Breaking Bad", 2008), ("Dark", 2017), ("Severance", 2022)],
    "1. Coco (2017)\n2. Dark (2017-2020)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (2017-)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (2017 - present)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (TV series, 2017–2020)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (TV Mini Series 2017)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark 2017–2020\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark [2017–20]\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (Netflix series, 2017)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (series, 2017–present)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (2017—2020)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (2017 to 2020)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (TV 2017)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (2017–2020, Netflix)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (TV Movie 2017)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (TV Series) (2017–2020)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (Season 1, 2017)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark - TV series (2017–2020)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (tv series 2017-2020)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (TV Series, 2017– )\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (Documentary 2017)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
    "1. Coco (2017)\n2. Dark (2017/2018)\n3. Up (2009)": [("Coco", 2017), ("Dark", 2017), ("Up", 2009)],
}  # fmt: skip

BY_LINES = {
    "1. The Martian by Andy Weir\n2. Up (2009)": [("The Martian", None), ("Up", 2009)],
    "1. The Martian by Ridley Scott (2015)\n2. Up (2009)": [("The Martian", 2015), ("Up", 2009)],
    "1. The Martian (2015) by Ridley Scott\n2. Up (2009)": [("The Martian", 2015), ("Up", 2009)],
    "1. Dune by Denis Villeneuve\n2. Up (2009)": [("Dune", None), ("Up", 2009)],
    "1. **The Martian** by Andy Weir\n2. Up (2009)": [("The Martian", None), ("Up", 2009)],
    "1. \"The Martian\" by Andy Weir\n2. Up (2009)": [("The Martian", None), ("Up", 2009)],
    "1. The Martian, by Andy Weir\n2. Up (2009)": [("The Martian", None), ("Up", 2009)],
    "1. The Martian - by Andy Weir\n2. Up (2009)": [("The Martian", None), ("Up", 2009)],
    "1. The Martian (by Andy Weir)\n2. Up (2009)": [("The Martian", None), ("Up", 2009)],
    "1. Pan's Labyrinth by Guillermo del Toro\n2. Up (2009)": [("Pan's Labyrinth", None), ('Up', 2009)],
    "1. 2001 by Stanley Kubrick\n2. Up (2009)": [("2001", None), ("Up", 2009)],
    "1. The Hobbit by J.R.R. Tolkien\n2. Up (2009)": [("The Hobbit", None), ("Up", 2009)],
    "1. Call Me by Your Name\n2. Up (2009)": [("Call Me by Your Name", None), ("Up", 2009)],
    "1. Saved by the Bell\n2. Up (2009)": [("Saved by the Bell", None), ("Up", 2009)],
    "1. Murder by Death\n2. Up (2009)": [("Murder by Death", None), ("Up", 2009)],
    "1. Stand by Me\n2. Up (2009)": [("Stand by Me", None), ("Up", 2009)],
    "1. North by Northwest\n2. Up (2009)": [("North by Northwest", None), ("Up", 2009)],
    "1. Side by Side\n2. Up (2009)": [("Side by Side", None), ("Up", 2009)],
    "1. The Martian directed by Ridley Scott\n2. Up (2009)": [("The Martian", None), ("Up", 2009)],
    "1. The Martian by Andy Weir - a man on Mars\n2. Up (2009)": [("The Martian", None), ("Up", 2009)],
    "1. Coco by Lee Unkrich and Adrian Molina\n2. Up (2009)": [("Coco", None), ("Up", 2009)],
    "1. The Martian by Andy Weir, 2015\n2. Up (2009)": [("The Martian", 2015), ("Up", 2009)],
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), {**MARKERS, **YEAR_FORMS, **SPANS, **BY_LINES}.items())
def test_the_films_that_an_answer_recommends_are_read_and_no_others(text, expected):
    films = parse_recommendations(text)
    assert [(r.title, r.year) for r in films] == expected
    for r in films:
        assert r.title in text[r.start : r.end]
        assert r.year is None or str(r.year) in text[r.start : r.end]
        assert text[r.start : r.end] == text[r.start : r.end].strip()
