-- grain: one metric of the runs $run and $other, paired by prompt. Built on compare_runs, where the columns are told.
from compare_runs($other, $run, resamples := 500);
