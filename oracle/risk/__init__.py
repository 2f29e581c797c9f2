"""How risky a film is for whom, and which trait a name means."""

from oracle.risk.names import TraitNames
from oracle.risk.table import Risks
from oracle.risk.text import risk_text

__all__ = [
    "Risks",
    "TraitNames",
    "risk_text",
]
