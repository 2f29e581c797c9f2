"""The order of prompts, such that a resumed run finds it again."""

from collections.abc import Callable, Iterator

import numpy as np
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
            seed, epoch = self._sampler.seed or 0, self._epoch()
            # Not their sum: with it, an epoch of one seed would have the order of the next seed's epoch before.
            later = int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> np.uint64(1))
            self._sampler.generator.manual_seed(later if epoch else seed)
        return iter(self._sampler)

    def __len__(self) -> int:
        return len(self._sampler)
