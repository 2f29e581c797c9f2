"""Risks as people read them."""


def risk_text(risk: float, threshold: float) -> str:
    """A risk to stand beside a threshold that is written whole: two digits, or as many more as tell it from the threshold.

    The view `why` does the same in SQL (`risk_text` in sql/views/why.sql).
    """
    texts = ((f"{risk:.{digits}f}", f"{threshold:.{digits}f}") for digits in range(2, 18))
    return next((text for text, other in texts if text != other), str(risk))
