"""What the bounds of two violation rates say of their order."""

from oracle.log.evasion import is_above


def may_turn(a: tuple[float, float], b: tuple[float, float]) -> bool:
    """Whether what is unknown could turn the order of two rates around, or break a tie; `a`, `b`: lowest and highest, in [0, 1].

    A tie stays only where nothing is unknown.
    """
    apart = is_above(b[0], a[1]) or is_above(a[0], b[1])
    return not apart and is_above(max(*a, *b), min(*a, *b))
