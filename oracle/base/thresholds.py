"""The threshold of risks, to as many digits as they have (sql/risk/risk.sql): else a risk of a third would not reach 1 / 3."""

RISK_DIGITS = 9


def in_risk_digits(threshold: float) -> float:
    return round(float(threshold), RISK_DIGITS)
