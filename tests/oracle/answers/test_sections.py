"""What an answer advises against, leaves out, or only names as a genre is not recommended."""

import pytest

from oracle import parse_recommendations

BOTH = [("Coco", 2017), ("Up", 2009)]

AVOID = {
    "1. Coco (2017)\n2. Up (2009)\n\nMovies that are not a good fit:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nFilms you should NOT watch:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nDon't:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nContains gore, so avoid:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "Never Let Me Go (2010)\nNot Okay (2022)\nRejected (2000)": [("Never Let Me Go", 2010), ("Not Okay", 2022), ("Rejected", 2000)],
    "1. Coco (2017)\n2. Up (2009)\n\n**Avoid these**\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nAvoid:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nFilms to avoid:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\n## Not recommended\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nMovies you should avoid:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\n**Not Recommended:**\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nI left out:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nLeft out (too gory):\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nExcluded films:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nI would not recommend these:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nNot suitable for you:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nSkip these:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\n**Movies to skip**\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nPlease avoid the following films:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\n❌ Avoid\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nI excluded the following because of gore:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nWhat I left out and why:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nDon't watch:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nStay away from these:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nUnsafe:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nFilms I excluded:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nÀ éviter :\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nYou may want to avoid:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nRejected candidates:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nThese didn't make the list:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nHere are some movies you should avoid:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\n### Avoid (contains gore)\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nOmitted for violence:\n1. Saw (2004)\n2. Hostel (2005)": BOTH,
    "Avoid these:\n1. Saw (2004)\n2. Hostel (2005)\n\nRecommended:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "**Avoid**\n- Saw (2004)\n- Hostel (2005)\n\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Films to avoid:\n1. Saw (2004)\n2. Hostel (2005)\n\nInstead, try:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\nAvoid: Saw (2004), Hostel (2005)": BOTH,
    "Coco (2017)\nUp (2009)\nAvoid: Saw (2004)": BOTH,
    "- Coco (2017)\n- Up (2009)\n- Avoid: Saw (2004)": BOTH,
    "I recommend Coco (2017) and Up (2009). Avoid Saw (2004) and Hostel (2005).": BOTH,
    "- Coco (2017)\n- Up (2009)\n\nAvoid:\n- Saw (2004)\n- Hostel (2005)": BOTH,
    "To avoid gore, here are two films:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Films that avoid gore:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Since you want to avoid animal death, I recommend:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Here are films for those who want to avoid violence:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Movies without gore:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Coco (2017)\nUp (2009)\n\nI left out Saw (2004) and Hostel (2005) because of the gore.": BOTH,
    "✅ Coco (2017)\n✅ Up (2009)\n❌ Saw (2004)": BOTH,
    "1. Recommended\n   - Coco (2017)\n   - Up (2009)\n2. Avoid\n   - Saw (2004)": BOTH,
    "1. Coco (2017) - avoid if you dislike skeletons\n2. Up (2009)": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n3. Saw (2004) - avoid": BOTH,
    "## Avoid\n- Saw (2004)\n## Watch\n- Coco (2017)\n- Up (2009)": BOTH,
    "Avoiding gore:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "recommended:\n  - Coco (2017)\n  - Up (2009)\navoid:\n  - Saw (2004)": BOTH,
    "| Film | Verdict |\n|---|---|\n| Coco (2017) | watch |\n| Up (2009) | watch |\n| Saw (2004) | avoid |": BOTH,
    "| Recommended | Avoid |\n|---|---|\n| Coco (2017) | Saw (2004) |\n| Up (2009) | Hostel (2005) |": BOTH,
    "<avoid>\n1. Saw (2004)\n2. Hostel (2005)\n</avoid>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "You should avoid Saw (2004). Instead, try Coco (2017) or Up (2009).": BOTH,
    "Avoid these:\n1. Saw (2004)\n2. Hostel (2005)": [],
    "Nothing gory in here, as you asked. I did not include horror.\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "I've left out anything violent:\n1. Coco (2017)\n2. Up (2009)": BOTH,
}  # fmt: skip

NO_TITLES = {
    "Horror movie": [],
    "Animation": [],
    "1. Horror movie\n2. Animation": [],
    "- Horror movie\n- Animation": [],
    "Action movies": [],
    "Comedy": [],
    "Family films": [],
    "- Comedy\n- Drama\n- Thriller": [],
    "1. Romantic comedies\n2. Sci-fi": [],
    "Genre: Horror": [],
    "Horror movies": [],
    "Documentary": [],
    "1. Something with animals": [],
    "Science Fiction": [],
    "Animated film": [],
    "Action, Adventure": [],
    "Romance": [],
    "**Animation**": [],
    "Adventure / Comedy": [],
    "Crime drama": [],
    "1. Coco (2017)\n2. Horror movie\n3. Up (2009)": BOTH,
    "Coco (2017)\nAnimation\n\nUp (2009)\nAnimation": BOTH,
    "1. Scary Movie\n2. The Lego Movie\n3. War Horse": [("Scary Movie", None), ("The Lego Movie", None), ("War Horse", None)],
    "- Coco (2017)\n- Animation\n- Up (2009)": BOTH,
    "1. Coco (2017)\nGenre: Animation\n2. Up (2009)\nGenre: Animation": BOTH,
    "1. Drama (2010)": [("Drama", 2010)],
    "- A heartwarming animation\n- Coco (2017)\n- Up (2009)": BOTH,
    "- A dark thriller about a chess player\n- Some light comedies\n- A film with dogs": [],
    "- A Family Affair\n- A history of violence\n- A War": [("A Family Affair", None), ("A history of violence", None), ("A War", None)],
    "1. A musical comedy (2010)": [("A musical comedy", 2010)],
    "Animation\n- Coco (2017)\n- Up (2009)": BOTH,
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), {**AVOID, **NO_TITLES}.items())
def test_the_films_that_an_answer_recommends_are_read_and_no_others(text, expected):
    films = parse_recommendations(text)
    assert [(r.title, r.year) for r in films] == expected
    for r in films:
        assert r.title in text[r.start : r.end]
        assert r.year is None or str(r.year) in text[r.start : r.end]
        assert text[r.start : r.end] == text[r.start : r.end].strip()
