"""How risky a film is for whom, and which trait a name means."""

from oracle.risk.names import TraitNames
from oracle.risk.table import Risks

__all__ = [
    "Risks",
    "TraitNames",
]
