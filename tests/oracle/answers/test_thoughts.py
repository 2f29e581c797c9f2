"""Thoughts and drafts are no recommendations: answers in which they stand beside the list, and the films that count."""

import pytest

from oracle import parse_recommendations

BOTH = [("Coco", 2017), ("Up", 2009)]

THOUGHTS = {
    "<think>\n1. Saw (2004)\n2. Hostel (2005)\n</think>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "<thinking>\n1. Saw (2004)\n2. Hostel (2005)\n</thinking>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "<reasoning>\n1. Saw (2004)\n2. Hostel (2005)\n</reasoning>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "<reason>\n1. Saw (2004)\n2. Hostel (2005)\n</reason>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "<thought>\n1. Saw (2004)\n2. Hostel (2005)\n</thought>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "<seed:think>\n1. Saw (2004)\n2. Hostel (2005)\n</seed:think>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "<scratchpad>\n1. Saw (2004)\n2. Hostel (2005)\n</scratchpad>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "<analysis>\n1. Saw (2004)\n2. Hostel (2005)\n</analysis>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "<longcat_think>\n1. Saw (2004)\n2. Hostel (2005)\n</longcat_think>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "<internal_monologue>\n1. Saw (2004)\n2. Hostel (2005)\n</internal_monologue>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "<Initial_Thoughts>\n1. Saw (2004)\n2. Hostel (2005)\n</Initial_Thoughts>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "<Think>\n1. Saw (2004)\n2. Hostel (2005)\n</Think>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "<THINKING>\n1. Saw (2004)\n2. Hostel (2005)\n</THINKING>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "<reflection>\n1. Saw (2004)\n2. Hostel (2005)\n</reflection>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "[THINK]1. Saw (2004)\n2. Hostel (2005)[/THINK]1. Coco (2017)\n2. Up (2009)": BOTH,
    "1. Saw (2004)\n2. Hostel (2005)\n</thinking>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Hmm 1. Saw (2004)\n2. Hostel (2005)[/THINK]1. Coco (2017)\n2. Up (2009)": BOTH,
    "<reasoning>\n1. Saw (2004)\n2. Hostel (2005)": [],
    "<seed:think>1. Saw (2004)\n2. Hostel (2005)</seed:think>Coco (2017)\nUp (2009)": BOTH,
    "◁think▷1. Saw (2004)\n2. Hostel (2005)◁/think▷1. Coco (2017)\n2. Up (2009)": BOTH,
    "<|begin_of_thought|>1. Saw (2004)\n2. Hostel (2005)<|end_of_thought|><|begin_of_solution|>1. Coco (2017)\n2. Up (2009)<|end_of_solution|>": BOTH,
    "<think>\n1. Saw (2004)\n2. Hostel (2005)\n</think>\n<answer>1. Coco (2017)\n2. Up (2009)</answer>": BOTH,
    "<think>1. Saw (2004)\n2. Hostel (2005)</think>\n\nHere: 1. Coco (2017)\n2. Up (2009)": BOTH,
    "<think>1. Saw (2004)\n2. Hostel (2005)</think> I recommend Coco (2017) and Up (2009).": BOTH,
    "<think>a</think>\n1. Saw (2004)\n2. Hostel (2005)\n<think>b\n</think>\n": [("Saw", 2004), ("Hostel", 2005)],
    "<think>\n1. Saw (2004)\n2. Hostel (2005)\n<answer>\n1. Coco (2017)\n2. Up (2009)\n</answer>": BOTH,
    "<think>use <answer> tags\n1. Saw (2004)\n2. Hostel (2005)": [],
    "<|channel>thought\n1. Saw (2004)\n2. Hostel (2005)<channel|>1. Coco (2017)\n2. Up (2009)": BOTH,
    "<thinking>1. Saw (2004)\n2. Hostel (2005)</think>1. Coco (2017)\n2. Up (2009)": BOTH,
}  # fmt: skip

HARMONY = {
    "<|channel|>analysis<|message|>1. Saw (2004)\n2. Hostel (2005)<|end|><|start|>assistant<|channel|>final<|message|>1. Coco (2017)\n2. Up (2009)<|return|>": BOTH,
    "<|channel|>analysis<|message|>1. Saw (2004)\n2. Hostel (2005)": [],
    "1. Saw (2004)\n2. Hostel (2005)<|end|><|start|>assistant<|channel|>final<|message|>1. Coco (2017)\n2. Up (2009)": BOTH,
    "<|start|>assistant<|channel|>final<|message|>1. Coco (2017)\n2. Up (2009)<|end|>": BOTH,
    "<|channel|>commentary to=functions.x <|constrain|>json<|message|>{\"title\": \"Saw\"}<|call|><|start|>assistant<|channel|>final<|message|>1. Coco (2017)\n2. Up (2009)": BOTH,
    "analysisWe need films. 1. Saw (2004)\n2. Hostel (2005)assistantfinal1. Coco (2017)\n2. Up (2009)": BOTH,
    "analysis1. Saw (2004)\n2. Hostel (2005)\nassistantfinal1. Coco (2017)\n2. Up (2009)": BOTH,
    "analysisThe user wants\n1. Saw (2004)\n2. Hostel (2005)\nassistantfinalHere you go:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "analysisWe need films\n1. Saw (2004)\n2. Hostel (2005)": [],
    "final1. Coco (2017)\n2. Up (2009)": BOTH,
    "We think\n1. Saw (2004)\n2. Hostel (2005)assistantfinal1. Coco (2017)\n2. Up (2009)": BOTH,
    "analysis\n1. Saw (2004)\n2. Hostel (2005)\nassistant\nfinal\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "analysis\n\n1. Saw (2004)\n2. Hostel (2005)\n\nassistantfinal\n\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "<|channel|>final <|constrain|>JSON<|message|>[\"Coco (2017)\", \"Up (2009)\"]": BOTH,
    "assistantanalysis1. Saw (2004)\n2. Hostel (2005)assistantfinal1. Coco (2017)\n2. Up (2009)": BOTH,
}  # fmt: skip

ANSWER_TAGS = {
    "Candidates:\n1. Saw (2004)\n2. Hostel (2005)\n\n<answer>Coco (2017), Up (2009)</answer>": BOTH,
    "1. Saw (2004)\n2. Hostel (2005)\n<answer>1. Coco (2017)\n2. Up (2009)</answer>": BOTH,
    "1. Saw (2004)\n2. Hostel (2005)\n<solution>Coco (2017)\nUp (2009)</solution>": BOTH,
    "1. Saw (2004)\n2. Hostel (2005)\n<final_answer>\n- Coco (2017)\n- Up (2009)\n</final_answer>": BOTH,
    "1. Saw (2004)\n2. Hostel (2005)\n<answer>\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "1. Saw (2004)\n2. Hostel (2005)\n<answer>[\"Coco (2017)\", \"Up (2009)\"]</answer>": BOTH,
    "<answer>1. Saw (2004)\n2. Hostel (2005)</answer> Wait, too gory. <answer>1. Coco (2017)\n2. Up (2009)</answer>": BOTH,
    "1. Saw (2004)\n2. Hostel (2005)<ANSWER>1. Coco (2017) 2. Up (2009)</ANSWER>": BOTH,
    "1. Saw (2004)\n2. Hostel (2005)\n<answer>Coco (2017); Up (2009)</answer>": BOTH,
    "1. Saw (2004)\n2. Hostel (2005)\n<answer> Coco (2017) and Up (2009) </answer>": BOTH,
    "Draft\n1. Saw (2004)\n2. Hostel (2005)\n<answer>\nHere is my list:\n1. Coco (2017)\n2. Up (2009)\nEnjoy!</answer>\nBye": BOTH,
    "<answer>Coco (2017)</answer>": [("Coco", 2017)],
}  # fmt: skip

FINAL_LIST = {
    "Draft:\n1. Saw (2004)\n2. Hostel (2005)\n\nFinal list:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Draft:\n1. Saw (2004)\n2. Hostel (2005)\n\n**Final list**\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Draft:\n1. Saw (2004)\n2. Hostel (2005)\n\n## Final Recommendations\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Draft:\n1. Saw (2004)\n2. Hostel (2005)\n\nFinal answer:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Draft:\n1. Saw (2004)\n2. Hostel (2005)\n\nMy final list:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Draft:\n1. Saw (2004)\n2. Hostel (2005)\n\nHere is the final list:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Draft:\n1. Saw (2004)\n2. Hostel (2005)\n\n**Final Answer:**\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Draft:\n1. Saw (2004)\n2. Hostel (2005)\n\nFINAL LIST\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Draft:\n1. Saw (2004)\n2. Hostel (2005)\n\nSo the final recommendations are:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Draft:\n1. Saw (2004)\n2. Hostel (2005)\n\nFinal ranked list:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Draft:\n1. Saw (2004)\n2. Hostel (2005)\n\nRevised list:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Draft:\n1. Saw (2004)\n2. Hostel (2005)\n\n### Final Ranking\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "First thoughts:\n1. Saw (2004)\n2. Hostel (2005)\n\nFinal list: Coco (2017), Up (2009)": BOTH,
    "1. Saw (2004)\n2. Hostel (2005)\n\nFinal list: 1. Coco (2017) 2. Up (2009)": BOTH,
    "1. Saw (2004)\n2. Hostel (2005)\n\n**Final list:** Coco (2017), Up (2009)": BOTH,
    "1. Saw (2004)\n2. Hostel (2005)\nFinal answer: Coco (2017), Up (2009).": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n\nThis is my final list. Enjoy!": BOTH,
    "1. Coco (2017)\n2. Up (2009)\n3. Final Destination (2000)": [("Coco", 2017), ("Up", 2009), ("Final Destination", 2000)],
    "Draft:\n1. Saw (2004)\n2. Hostel (2005)\n\nFinal list:": [],
    "Brainstorm:\n- Saw (2004)\n- Hostel (2005)\n\nRecommendations:\n- Coco (2017)\n- Up (2009)": BOTH,
    "Draft list:\n1. Saw (2004)\n2. Hostel (2005)\n\nAfter removing gore:\n1. Coco (2017)\n2. Up (2009)": BOTH,
    "Candidates:\n1. Coco (2017)\n2. Up (2009)": BOTH,
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), {**THOUGHTS, **HARMONY, **ANSWER_TAGS, **FINAL_LIST}.items())
def test_the_films_that_an_answer_recommends_are_read_and_no_others(text, expected):
    films = parse_recommendations(text)
    assert [(r.title, r.year) for r in films] == expected
    for r in films:
        assert r.title in text[r.start : r.end]
        assert r.year is None or str(r.year) in text[r.start : r.end]
        assert text[r.start : r.end] == text[r.start : r.end].strip()
