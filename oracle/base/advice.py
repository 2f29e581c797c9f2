"""Errors that are nobody's fault here, as advice: memory, disk, network, locks, logins."""

import re
from collections.abc import Iterator

_NO_MEMORY = (
    r"MemoryError: |out of memory|can't allocate memory|not enough memory|failed to allocate"
    r"|failed to map segment|cannot allocate memory"
)
_NO_THREAD = r"can't start new thread|Resource temporarily unavailable"
_NO_HANDLE = r"Too many open files"
# What an error says of itself ("module.Type: message"), what happened, and what to do. The first that fits holds.
_KNOWN = (
    (_NO_MEMORY, "there is not enough memory", "{memory}"),
    (
        r"No space left on device|Disk quota exceeded|os error 28\b|PytorchStreamWriter failed|unexpected pos \d+ vs",
        "the disk is full",
        "free some space",
    ),
    (
        r"GatedRepoError|gated repo|401 Client Error|403 Client Error",
        "the hub does not give this out",
        "accept its licence on its page, and log in with: hf auth login",
    ),
    (
        r"couldn't connect to|Max retries exceeded|ConnectError|ConnectionError|LocalEntryNotFoundError|OfflineModeIsEnabled"
        r"|name resolution|Name or service not known|Network is unreachable|ConnectTimeout|ReadTimeout",
        "the network, or the hub, can't be reached",
        "name a folder on this machine, or try again when it can be",
    ),
    (
        r"wandb.*(api[ _]key|log ?in|authenticat)",
        "Weights & Biases knows nobody here",
        "log in with: wandb login; or set WANDB_MODE=offline, or leave its flag out",
    ),
    (
        r"Conflicting lock is held|Could not set lock on file",
        "another program has the store open for writing",
        "close it there, then try again",
    ),
    (r"Read-only file system|Permission denied|PermissionError", "no permission", "choose a folder of your own"),
    (r"File name too long", "no file can have so long a name", "choose a shorter one"),
    (
        _NO_THREAD,
        "no further thread or process may be started",
        "close other programs, or raise the limit (ulimit -u)",
    ),
    (_NO_HANDLE, "too many files are open", "raise the limit with: ulimit -n 4096"),
)
_LESS_MEMORY = "close other programs, or ask for less at once"
_LONGEST = 200


def advice(error: BaseException, memory: str = "") -> str | None:
    """One line about an error of the machine or of a service: what happened, its own words, what to do; null for any other.

    `memory` names the flags that lower what the command takes of it.
    """
    for one in _chain(error):
        for pattern, happened, do in _KNOWN:
            if re.search(pattern, _said(one), re.IGNORECASE):
                do = do.format(memory=f"lower {memory}" if memory else _LESS_MEMORY)
                return f"{happened} ({_first_sentence(one)}): {do}"
    return None


def is_shortage(error: BaseException) -> bool:
    """Whether an error tells of too little memory, or too few threads or open files: so it tells nothing of what was read."""
    return re.search(f"{_NO_MEMORY}|{_NO_THREAD}|{_NO_HANDLE}", _said(error), re.IGNORECASE) is not None


def _said(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__name__}: {error}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _first_sentence(error: BaseException) -> str:
    text = " ".join((str(error) or type(error).__name__).split())
    return re.split(r"(?<=[a-z)])\. ", text[:_LONGEST])[0].rstrip(".")
