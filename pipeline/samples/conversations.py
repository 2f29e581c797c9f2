"""Conversations as others write them, as records of ours: dialog, groundtruth, id, seen."""

import json
import re

_MENTION = re.compile(r"@(\d+)")
_NAMED = re.compile(r"\s*(.*\S)\s*\((\d{4})\)\s*")
_ROLES = {
    "user": "user",
    "seeker": "user",
    "human": "user",
    "assistant": "assistant",
    "recommender": "assistant",
    "system": "",
}


def as_dialog(record: object) -> object:
    """A raw conversation of ReDial, or chat messages with a ground truth, as one of ours; any other record as it is."""
    if isinstance(record, dict) and {"movieMentions", "messages"} <= record.keys():
        return _of_redial(record)
    if isinstance(record, dict) and "messages" in record and "dialog" not in record:
        return _of_messages(record)
    return record


def _of_messages(record: dict) -> dict:
    """Chat messages {role, content}; the turn of the assistant that ends them is what was recommended, and left out."""
    messages = record["messages"]
    messages = json.loads(messages) if isinstance(messages, str) else messages
    if not isinstance(messages, list):
        raise ValueError("messages is no list")
    turns: list[tuple[str, str]] = []
    for message in messages:
        role = _ROLES.get(str(message.get("role")).lower()) if isinstance(message, dict) else None
        text = message.get("content") if isinstance(message, dict) else None
        if role is None or not isinstance(text, str):
            raise ValueError(
                f"{str(message)[:60]!r} is no message; expected {{role, content}}, of a user or an assistant"
            )
        if turns and turns[-1][0] == role:
            turns[-1] = (role, f"{turns[-1][1]}\n{text.strip()}")
        elif role and text.strip():
            turns.append((role, text.strip()))
    if turns and turns[-1][0] == "assistant":
        turns.pop()
    return {**record, "dialog": "", "turns": turns}


def _of_redial(record: dict) -> dict:
    """Its films are numbers in the text (@10) that movieMentions names. The conversation ends before the recommender first
    names a film that was suggested and not said to be disliked; those that follow are the ground truth. What the person
    has seen, of all other films, is seen.
    """
    mentions = _by_number(record["movieMentions"], "movieName")
    answers = _by_number(record.get("respondentQuestions"), None)
    if mentions is None or not isinstance(record["messages"], list):
        raise ValueError("movieMentions is no object, or messages no list")
    answers = answers or {}
    wanted = {
        number for number in mentions
        if not answers or (isinstance(a := answers.get(number), dict) and a.get("suggested") == 1 and a.get("liked") != 0)
    }  # fmt: skip
    seeker = record.get("initiatorWorkerId")
    lines: list[str] = []
    found: dict[str, list] = {}
    for message in record["messages"]:
        if not isinstance(message, dict) or not isinstance(message.get("text"), str):
            raise ValueError("a message has no text")
        is_seeker = message.get("senderWorkerId") == seeker
        named = [number for number in _MENTION.findall(message["text"]) if number in wanted]
        if named and not is_seeker:
            found |= {number: _title_and_year(mentions[number]) for number in named}
        elif not found:
            text = _MENTION.sub(lambda m: str(mentions.get(m[1]) or m[0]), message["text"])
            lines.append(f"{'User' if is_seeker else 'System'}: {text}")
    seen = [
        _title_and_year(mentions[number]) for number, answer in answers.items()
        if isinstance(answer, dict) and answer.get("seen") == 1 and number not in found and mentions.get(number)
    ]  # fmt: skip
    return {
        "id": record.get("conversationId"), "dialog": "\n".join(lines), "groundtruth": list(found.values()), "seen": seen,
    }  # fmt: skip


def _by_number(value: object, name: str | None) -> dict | None:
    """{number: name or answers}, as the raw file has it; the hub has a list of {movieId, ...}. None for what is neither."""
    if isinstance(value, list) and all(isinstance(one, dict) and "movieId" in one for one in value):
        return {str(one["movieId"]): one.get(name) if name else one for one in value}
    return {} if not value else value if isinstance(value, dict) else None


def _title_and_year(name: object) -> list:
    named = _NAMED.fullmatch(str(name))
    return [named[1], int(named[2])] if named else [str(name).strip(), None]
