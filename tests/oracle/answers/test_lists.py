"""Lists of every form that a model may write, literally, and the films that they name."""

import pytest

from oracle import parse_recommendations


def films(text: str) -> list[tuple[str, int | None]]:
    return [(r.title, r.year) for r in parse_recommendations(text)]


ALIEN, HEAT, UP = ("Alien", 1979), ("Heat", 1995), ("Up", 2009)
alien, heat, up = ("Alien", None), ("Heat", None), ("Up", None)

MARKERS = {
    "dot": "1. Alien (1979)\n2. Heat (1995)\n3. Up (2009)",
    "bracket": "1) Alien (1979)\n2) Heat (1995)\n3) Up (2009)",
    "two brackets": "(1) Alien (1979)\n(2) Heat (1995)\n(3) Up (2009)",
    "square brackets": "[1] Alien (1979)\n[2] Heat (1995)\n[3] Up (2009)",
    "hash": "#1 Alien (1979)\n#2 Heat (1995)\n#3 Up (2009)",
    "hash and colon": "#1: Alien (1979)\n#2: Heat (1995)\n#3: Up (2009)",
    "number and dash": "1 - Alien (1979)\n2 - Heat (1995)\n3 - Up (2009)",
    "number and colon": "1: Alien (1979)\n2: Heat (1995)\n3: Up (2009)",
    "full width": "１．Alien (1979)\n２．Heat (1995)\n３．Up (2009)",
    "ideographic comma": "1、Alien（1979）\n2、Heat（1995）\n3、Up（2009年）",
    "Arabic digits": "١. Alien (1979)\n٢. Heat (1995)\n٣. Up (2009)",
    "bold number": "**1.** Alien (1979)\n**2.** Heat (1995)\n**3.** Up (2009)",
    "bold line": "**1. Alien (1979)**\n**2. Heat (1995)**\n**3. Up (2009)**",
    "escaped dot": "1\\. Alien (1979)\n2\\. Heat (1995)\n3\\. Up (2009)",
    "no space": "1.Alien (1979)\n2.Heat (1995)\n3.Up (2009)",
    "tabs": "1.\tAlien\t(1979)\n2.\tHeat\t(1995)\n3.\tUp\t(2009)",
    "CRLF": "1. Alien (1979)\r\n2. Heat (1995)\r\n3. Up (2009)\r\n",
    "blank lines": "\n\n1. Alien (1979)\n\n\n2. Heat (1995)\n \n3. Up (2009)\n\n",
    "first line indented": " 1. Alien (1979)\n2. Heat (1995)\n3. Up (2009)",
    "all indented": "   1. Alien (1979)\n   2. Heat (1995)\n   3. Up (2009)",
    "heading a film": "### 1. Alien (1979)\nA ship.\n\n### 2. Heat (1995)\nA heist.\n\n### 3. Up (2009)\nA house.",
    "heading without number": "## Alien (1979)\nA ship.\n## Heat (1995)\nA heist.\n## Up (2009)\nA house.",
    "block quote": "> 1. Alien (1979)\n> 2. Heat (1995)\n> 3. Up (2009)",
    "keycaps": "1️⃣ Alien (1979)\n2️⃣ Heat (1995)\n3️⃣ Up (2009)",
    "circled digits": "① Alien (1979)\n② Heat (1995)\n③ Up (2009)",
    "dash": "- Alien (1979)\n- Heat (1995)\n- Up (2009)",
    "star": "* Alien (1979)\n* Heat (1995)\n* Up (2009)",
    "plus": "+ Alien (1979)\n+ Heat (1995)\n+ Up (2009)",
    "dot bullet": "• Alien (1979)\n•Heat (1995)\n• Up (2009)",
    "en dash": "– Alien (1979)\n– Heat (1995)\n– Up (2009)",
    "emojis": "🎬 Alien (1979)\n🍿 Heat (1995)\n❤️ Up (2009)",
    "number and emoji": "1. 🎬 Alien (1979)\n2. 🍿 Heat (1995)\n3. ❤️ Up (2009) 🎈",
    "list items": "<ul>\n<li>Alien (1979)</li>\n<li>Heat (1995)</li>\n<li><b>Up</b> (2009)</li>\n</ul>",
    "plain lines": "Alien (1979)\nHeat (1995)\nUp (2009)",
    "plain lines, blank lines between": "Alien (1979)\n\nHeat (1995)\n\nUp (2009)",
    "right-to-left marks": "\u200f1.\u200f Alien\u200e (1979)\n2. \u200bHeat (1995)\n\ufeff3. Up (2009)",
    "numbers all one": "1. Alien (1979)\n1. Heat (1995)\n1. Up (2009)",
    "countdown": "3. Alien (1979)\n2. Heat (1995)\n1. Up (2009)",
    "numbers from eleven": "11. Alien (1979)\n12. Heat (1995)\n13. Up (2009)",
    "bullet before number": "- 1. Alien (1979)\n- 2. Heat (1995)\n- 3. Up (2009)",
    "on one line": "1. Alien (1979) 2. Heat (1995) 3. Up (2009)",
    "number and space": "1 Alien (1979)\n2 Heat (1995)\n3 Up (2009)",
    "brackets without space": "(1)Alien (1979)\n(2)Heat (1995)\n(3)Up (2009)",
    "number with dot and bracket": "1.) Alien (1979)\n2.) Heat (1995)\n3.) Up (2009)",
    "numero": "No.1 Alien (1979)\n№2 Heat (1995)\nNo. 3: Up (2009)",
    "katakana dot": "・Alien（1979年）\n・Heat（1995年）\n・Up（2009年）",
    "list items on one line": "<ol><li>Alien (1979)</li><li>Heat (1995)</li><li>Up (2009)</li></ol>",
    "blocks of keys": "Title: Alien (1979)\nGenre: Horror\n\nTitle: Heat (1995)\nGenre: Crime\n\n"
    "Title: Up (2009)\nGenre: Family",
    "YAML": "- title: Alien (1979)\n  genre: horror\n- title: Heat (1995)\n  genre: crime\n- title: Up (2009)",
    "titles on the lines below the numbers": "1.\nAlien (1979)\n2.\nHeat (1995)\n3.\nUp (2009)",
    "speaker before": "[|AI|] 1. Alien (1979)\n2. Heat (1995)\n3. Up (2009)",
    "sentence without a colon": "You might like Alien (1979), Heat (1995), and Up (2009).",
    "letters": "a) Alien (1979)\nb) Heat (1995)\nc) Up (2009)",
    "lines with commas": "Alien (1979),\nHeat (1995),\nUp (2009),",
    "columns": "Alien | 1979\nHeat | 1995\nUp | 2009",
    "tags": "<movies>\n<movie>Alien (1979)</movie>\n<movie>Heat (1995)</movie>\n<movie>Up (2009)</movie>\n</movies>",
    "labels": "Movie 1: Alien (1979)\nMovie 2: Heat (1995)\nMovie 3: Up (2009)",
    "head over plain lines": "Top 3 Films\n\nAlien (1979)\nHeat (1995)\nUp (2009)",
    "on one line, nothing between": "1. Alien (1979)2. Heat (1995)3. Up (2009)",
    "on one line, brackets": "(1) Alien (1979), (2) Heat (1995), (3) Up (2009)",
    "on one line, bold numbers": "**1.** Alien (1979); **2.** Heat (1995); **3.** Up (2009)",
    "on one line, bullets": "• Alien (1979) • Heat (1995) • Up (2009)",
    "on one line, commas": "Alien (1979), Heat (1995), Up (2009)",
    "on one line, and": "Alien (1979), Heat (1995) and Up (2009).",
    "on one line, semicolons": "Alien (1979); Heat (1995); Up (2009)",
    "on one line, slashes": "Alien (1979) / Heat (1995) / Up (2009)",
    "on one line, quotes": '"Alien" (1979), "Heat" (1995), and "Up" (2009)',
    "on one line behind words": "Sure! Here are three: 1. Alien (1979) 2. Heat (1995) 3. Up (2009)",
    "first entry behind words": "Here you are: 1. Alien (1979)\n2. Heat (1995)\n3. Up (2009)",
    "sentence with a colon": "I recommend: Alien (1979), Heat (1995), and Up (2009).",
    "several in one entry": "1. Films about space: Alien (1979), Heat (1995)\n2. Up (2009)",
    "table": "| # | Title | Year |\n|---|:---|---:|\n| 1 | Alien | 1979 |\n| 2 | Heat | 1995 |\n| 3 | Up | 2009 |",
    "table without ranks": "| Film | Year |\n| --- | --- |\n| Alien | 1979 |\n| **Heat** | 1995 |\n| Up | 2009 |",
    "table without head": "| 1 | Alien (1979) | scary |\n| 2 | Heat (1995) | long |\n| 3 | Up (2009) | sad |",
    "table in a block quote": "> | Alien | 1979 |\n> | Heat | 1995 |\n> | Up | 2009 |",
    "table in HTML": "<table><tr><th>#</th><th>Title</th><th>Year</th></tr>\n<tr><td>1</td><td>Alien</td><td>1979</td></tr>"
    "\n<tr><td>2</td><td><b>Heat</b></td><td>1995</td></tr><tr><td>3</td><td>Up</td><td>2009</td></tr></table>",
    "table in HTML without head": "<table><tr><td>Alien (1979)</td></tr><tr><td>Heat (1995)<tr><td>Up (2009)</table>",
    "check boxes": "- [ ] Alien (1979)\n- [x] Heat (1995)\n* [X] Up (2009)",
    "arrows": "1 -> Alien (1979)\n2 => Heat (1995)\n3 → Up (2009)",
    "LaTeX": "\\begin{enumerate}\n\\item Alien (1979)\n\\item Heat (1995)\n\\item Up (2009)\n\\end{enumerate}",
    "LaTeX box": "\\boxed{1. Alien (1979)\n2. Heat (1995)\n3. Up (2009)}",
    "JSON strings": '["Alien (1979)", "Heat (1995)", "Up (2009)"]',
    "JSON by rank": '{"1": "Alien (1979)", "2": "Heat (1995)", "3": "Up (2009)"}',
    "Python list": "['Alien (1979)', \"Heat (1995)\", 'Up (2009)']",
    "sentence with another behind": 'I recommend "Alien" (1979), "Heat" (1995), and "Up" (2009). Enjoy!',
    "JSON objects": '[{"title": "Alien", "year": 1979}, {"title": "Heat", "year": "1995"}, {"year": 2009, '
    '"title": "Up"}]',
    "JSON in a fence": '```json\n{"recommendations": [\n  {"title": "Alien", "year": 1979, "why": "space, 2001"},\n'
    '  {"title": "Heat", "year": 1995},\n  {"title": "Up", "year": 2009}\n]}\n```',
    "solution": "<solution>\n1. Alien (1979)\n2. Heat (1995)\n3. Up (2009)\n</solution>",
    "solution, plain": "I thought of\n1. Saw (2004)\n<solution>Alien (1979)\nHeat (1995)\nUp (2009)</solution>\n"
    "Enjoy (2020)!",
    "solution, not closed": "1. Saw (2004)\n<SOLUTION>\n1. Alien (1979)\n2. Heat (1995)\n3. Up (2009)",
    "thought": "<think>1. Saw (2004)\n2. <solution>Cube (1997)</solution></think>1. Alien (1979)\n"
    "2. Heat (1995)\n3. Up (2009)",
    "thought, opened in the prompt": "Perhaps\n1. Saw (2004)\n</think>\n1. Alien (1979)\n2. Heat (1995)\n3. Up (2009)",
    "headings between": "## Horror\n1. Alien (1979)\n\n## Crime:\n1. Heat (1995)\n\n**Family**\n1. Up (2009)",
    "headings between bullets": "Horror:\n- Alien (1979)\n\nCrime:\n- Heat (1995)\n\nFamily:\n- Up (2009)",
    "numbered headings": "1. Horror\n   - Alien (1979)\n   - Heat (1995)\n2. Family\n   - Up (2009)",
    "bulleted headings": "- **Horror**\n    - Alien (1979)\n    - Heat (1995)\n- **Family**\n    - Up (2009)",
    "remarks below, indented": "1. Alien (1979)\n   - Director: Ridley Scott\n   - Like: Aliens (1986)\n"
    "2. Heat (1995)\n   A heist.\n3. Up (2009)",
    "remarks below, not indented": "1. Alien (1979)\n- Scary and good\n2. Heat (1995)\nA heist film.\n"
    "3. Up (2009)\n* Sad",
    "numbered remarks below": "1. Alien (1979)\n   1. Scary\n   2. Good\n2. Heat (1995)\n   1. Long\n3. Up (2009)",
    "bullets below bullets": "- Alien (1979)\n  - scary\n  - good\n- Heat (1995)\n  - long\n- Up (2009)",
    "bullets below plain lines": "**Alien (1979)**\n- Director: Ridley Scott\n- Scary\n\n**Heat (1995)**\n"
    "- Long\n\n**Up (2009)**\n- Sad",
    "preamble and closing": "Sure! Based on your love of Jaws (1975), here are 3 films:\n\n1. Alien (1979)\n"
    "2. Heat (1995)\n3. Up (2009)\n\n"
    "Let me know if you have seen Saw (2004).\nEnjoy!",
    "preamble and closing, plain": "Sure!\nHere are some films that you may like:\nAlien (1979)\nHeat (1995)\n"
    "Up (2009)\nI hope you enjoy Up (2009)!",
    "preamble and closing, bullets": "Hi there, great to meet you.\n- Alien (1979)\n- Heat (1995)\n- Up (2009)\n"
    "Have fun!",
    "dialogue before": "User: something like Jaws (1975)?\nSystem: Sure. Here are films:\n1. Alien (1979)\n"
    "2. Heat (1995)\n3. Up (2009)",
    "number alone at the end": "1. Alien (1979)\n2. Heat (1995)\n3. Up (2009)\n4.",
    "number and space at the end": "1. Alien (1979)\n2. Heat (1995)\n3. Up (2009)\n4. ",
    "number and bold at the end": "1. Alien (1979)\n2. Heat (1995)\n3. Up (2009)\n4. **",
    "rule at the end": "- Alien (1979)\n- Heat (1995)\n- Up (2009)\n---\n***\n- - -",
    "questions numbered": "1. Alien (1979)\n2. What is your favorite movie?\n3. Heat (1995)\n"
    "4. Have you seen any good movies lately?\n5. Up (2009)",
}  # fmt: skip

NOT_FILMS = [
    "",
    " \n\t\r\n",
    "\u200b",
    "Hello! How can I assist you today?",
    "What type of movie are you in the mood for? Action, romance, comedy, or something else?",
    "1. Hi, I hope you are doing well today.\n2. How can I assist you today?",
    '1. How about "The Hangover" or "Step Brothers"?\n2. I\'ve seen those, do you have any other suggestions?',
    "- What genres do you like?\n- Do you prefer old or new movies?",
    "If you liked Alien (1979), you will love many films.",
    "I loved Alien (1979).",
    "1. I'm sorry, I can't help with that.",
    "I'm sorry, but I cannot recommend films with gore.",
    "I'd go with The Thing, Alien and Predator.",
    "You might like Alien (1979)",
    "Great choice! Heat is a classic. It was made in 1995.",
    "19.",
    "1. \n2. \n3.",
    "- \n*\n•",
    "<solution></solution>",
    "<solution>\n</solution>\n1. Alien (1979)",
    "<think>1. Alien (1979)",
    "[]",
    "{}",
    "```json\n[\n",
    "|---|---|",
    "1. (1979)\n2. [1979]\n3. (1979",
    "| 1 | | 1979 |",
    '"," (1979)\n"." (1979)\n1. "," (1979)',
    "Enjoy!",
    "((((((((((",
    "1. ???\n2. ---",
    "Sure, what genre?\nAction\nOr something else that you like?",
]

THING, PREDATOR, FLY = ("The Thing", None), ("Predator", None), ("The Fly", None)
LISTS = {
    "The Thing\nAlien\nPredator": [THING, alien, PREDATOR],
    "The Thing\nAlien\nAirplane!\nPredator\n\nEnjoy!": [THING, alien, ("Airplane!", None), PREDATOR],
    "Sure!\nThe Thing\nAlien\nPredator\nHave fun watching these films!": [THING, alien, PREDATOR],
    "Alien (1979)\nThe Thing\nHeat (1995)\n\nMore Soon": [ALIEN, THING, HEAT],
    "<solution>\nthe thing\nAlien\nAirplane!\n</solution>": [("the thing", None), alien, ("Airplane!", None)],
    "<solution>The Thing; Alien</solution>": [THING, alien],
    "<solution>The Thing, Alien, Predator, The Fly</solution>": [THING, alien, PREDATOR, FLY],
    "<solution>The Good, the Bad and the Ugly</solution>": [("The Good, the Bad and the Ugly", None)],
    "I recommend these: The Thing; Alien; Predator.": [THING, alien, PREDATOR],
    "Sure! Some films that you may like: The Thing, Alien, and Predator.": [THING, alien, PREDATOR],
    "Some scary films: The Thing, Alien, and The Fly. And for action fans: Predator, Heat, Up.": [
        THING, alien, FLY, PREDATOR, heat, up,
    ],
    "Other options are: The Good, the Bad and the Ugly, Heat, and Up": [
        ("The Good, the Bad and the Ugly", None), heat, up,
    ],
    "How about Mission: Impossible - Fallout, Heat, or Up?": [],
    "1. Alien 2. Heat 3. Up": [alien, heat, up],
    "[|AI|] Sure! 1. Alien 2. Heat: a heist 3. Up 4.": [alien, heat, up],
    "1. The Godfather - better than part 2. A classic\n2. Heat": [("The Godfather", None), heat],
    "1. Alien\n2. Heat\n3. Th": [alien, heat, ("Th", None)],
    "1. Alien\n18. The Sixth Se": [alien, ("The Sixth Se", None)],
    "1. Alien (1979)\n2. Heat (199": [ALIEN, heat],
    "1. Alien (1979) 2. Heat (199": [ALIEN, heat],
    "Alien (1979), Heat (1995), U": [ALIEN, HEAT, ("U", None)],
    '["Alien (1979)", "Heat (1995)", "The Sixth Se': [ALIEN, HEAT, ("The Sixth Se", None)],
    '[{"title": "Alien", "year": 1979}, {"title": "Hea': [ALIEN, ("Hea", None)],
    '["Am\\u00e9lie", "Se\\"7\\"en"]': [("Amélie", None), ('Se"7"en', None)],
    "| Year | Title |\n|---|---|\n| 2019 | 1917 |\n| 2006 | 300 |": [("1917", 2019), ("300", 2006)],
    "1. Funny films: Airplane! (1980), Up (2009), and Paddington (2014)\n2. Heat": [
        ("Airplane!", 1980), UP, ("Paddington", 2014), heat,
    ],
    "1. Comedy\n   1. Airplane! (1980)\n   2. Up (2009)\n2. Crime\n   1. Heat (1995)": [("Airplane!", 1980), UP, HEAT],
    "Alien (1979)\n1. Mai (2008)\nHeat (1995)\n#1 Cheerleader Camp (2010)\nUp (2009)" + "\nHeat (1995)" * 4: [
        ALIEN, ("1. Mai", 2008), HEAT, ("#1 Cheerleader Camp", 2010), UP, HEAT, HEAT, HEAT, HEAT,
    ],
    "- Alien (1979)\n- 1. Mai (2008)\n- Heat (1995)\n- Up (2009)": [ALIEN, ("1. Mai", 2008), HEAT, UP],
    "Alien (1979)\nA Town like Alice (1956)\nKrótki film o milosci (1988)\nUp (2009)\n\nYou might like Heat (1995)": [
        ALIEN, ("A Town like Alice", 1956), ("Krótki film o milosci", 1988), UP,
    ],
    "🎬 Here are my picks!\nAlien (1979)\nHeat (1995)": [ALIEN, HEAT],
    "You liked:\nJaws (1975)\nSaw (2004)\nTry these:\n- Alien\n- Heat\n- Up": [alien, heat, up],
    "<solution>\nthe lego movie (2014)\nhow to train your dragon: the hidden world (2019)\n</solution>": [
        ("the lego movie", 2014), ("how to train your dragon: the hidden world", 2019),
    ],
    "I put it into <solution> tags.\n<solution>\n1. Alien\n</solution>": [alien],
    "<solution>It is in <solution> tags.\n<solution>Alien</solution>": [alien],
    "1. Alien</s>\n2. Heat (1995)<|im_end|>\n3. Up<|im_end|>": [alien, HEAT, up],
    "1. how to train your dragon: the hidden world\n2. the lego movie 2": [
        ("how to train your dragon: the hidden world", None), ("the lego movie 2", None),
    ],
    "Title: Alien\nYear: 1979\n\nTitle: Heat\nYear: 1995": [ALIEN, HEAT],
    "Horror:\n1. Alien\n2. The Fly\nCrime:\n1. Heat": [alien, FLY, heat],
    "1. 300\n2. 21\n3. 9\n4. 1917\n5. 1984\n6. 10": [(t, None) for t in ("300", "21", "9", "1917", "1984", "10")],
    "300 (2006)\n21 (2008)\n(500) Days of Summer (2009)\n12 Angry Men (1957)": [
        ("300", 2006), ("21", 2008), ("(500) Days of Summer", 2009), ("12 Angry Men", 1957),
    ],
    "<think>Alien</think><solution>1. Heat</solution> or <solution>1. Up</solution>": [heat, up],
    "1. 霸王别姬\n2. 《活着》\n3. 卧虎藏龙：李安的武侠片。": [("霸王别姬", None), ("活着", None), ("卧虎藏龙", None)],
    "おすすめの映画です：\n七人の侍\n東京物語\n羅生門\n\n"
    "どうぞ！": [("七人の侍", None), ("東京物語", None), ("羅生門", None)],
}  # fmt: skip


@pytest.mark.parametrize("text", MARKERS.values(), ids=MARKERS.keys())
def test_three_films_are_found_in_a_list_of_any_form(text):
    assert films(text) == [ALIEN, HEAT, UP]


@pytest.mark.parametrize(("text", "expected"), LISTS.items())
def test_a_list_without_years_or_cut_off_is_read_as_far_as_it_is_clear(text, expected):
    assert films(text) == expected


@pytest.mark.parametrize("text", NOT_FILMS)
def test_what_is_no_film_is_not_taken_for_one(text):
    assert films(text) == []
