"""Reading: which films the text of an answer recommends, at which rank, and which characters name each of them.

Texts go in, an Arrow table comes out. Nothing here knows a film, a store or a token.
"""

from oracle.answers.parse import MAX_RANK, Recommendation, entry_spans, parse_batch, parse_recommendations

__all__ = ["MAX_RANK", "Recommendation", "entry_spans", "parse_batch", "parse_recommendations"]
