"""How a curated dataset is distributed, for a terminal and for the report."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from oracle.base.printable import one_line


@dataclass(frozen=True)
class Curated:
    """What became of a dataset."""

    line: str
    distributions: dict[str, dict[str, int]]
    """Title -> {label: samples}."""

    def as_text(self) -> str:
        """A table under each title."""
        lines = []
        for title, counts in self.distributions.items():
            if not counts:
                continue
            labels = [*map(one_line, counts)]
            width = max(map(len, labels))
            lines.append(one_line(title))
            lines += [
                f"  {label.ljust(width)}  {count:>7,}" for label, count in zip(labels, counts.values(), strict=True)
            ]
        return "\n".join(lines)


def distributions(rows: Sequence[dict], nouns: str, traits: Sequence[str]) -> dict[str, dict[str, int]]:
    """Samples by split and number of traits, by trait and split, and by how many ground-truth films they have."""
    found: dict[str, dict[str, int]] = {}
    for split in ("train", "heldout"):
        own = [row for row in rows if row["split"] == split]
        counts = Counter(len(row["constraints"]) for row in own)
        found[f"{split}: samples by number of traits"] = {str(n): counts[n] for n in sorted(counts)}
        by_trait = Counter(trait for row in own for trait in row["constraints"])
        found[f"{split}: samples by trait"] = {trait: by_trait[trait] for trait in traits if by_trait[trait]}
    sizes = Counter(len(row["groundtruth_with_release_year"]) for row in rows)
    found[f"samples by number of ground-truth {nouns}"] = {str(n): sizes[n] for n in sorted(sizes)}
    bad = Counter(len(row["groundtruth_violating"]) for row in rows)
    found[f"samples by number of ground-truth {nouns} that violate their constraints"] = {
        str(n): bad[n] for n in sorted(bad)
    }
    return found
