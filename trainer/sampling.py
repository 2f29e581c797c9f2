"""The order of prompts, such that a resumed run finds it again."""

from collections.abc import Callable, Iterator

from torch.utils.data import Sampler
from trl.trainer.utils import RepeatSampler


class EpochSeeded(Sampler):
    """TRL's sampler, but each epoch's order follows from the seed and the epoch alone.

    TRL draws the orders of all epochs from one generator, which is in no checkpoint: resumed in a later epoch, it
    would give the order of the first again.
    """

    def __init__(self, sampler: Sampler, epoch: Callable[[], int]):
        assert isinstance(sampler, RepeatSampler)
        self._sampler, self._epoch = sampler, epoch

    def __iter__(self) -> Iterator[int]:
        if self._sampler.shuffle:
            self._sampler.generator.manual_seed((self._sampler.seed or 0) + self._epoch())
        return iter(self._sampler)

    def __len__(self) -> int:
        return len(self._sampler)
