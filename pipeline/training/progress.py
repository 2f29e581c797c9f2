"""What a person sees while a model trains: a bar, and what matters of each logged step. Trackers and the log have all metrics."""

from transformers import ProgressCallback

SHOWN = ("svr", "svr_high", "unrated_rate", "unresolved_rate", "duplicate_rate", "recall", "films_per_list")


class Progress(ProgressCallback):
    """transformers' bar, beside which it would print more than a hundred metrics a step, most of them by rank."""

    def on_log(self, args, state, control, logs=None, **kwargs):
        shown = {name: value for name, value in (logs or {}).items() if name.removeprefix("eval_") in SHOWN}
        if shown:
            super().on_log(args, state, control, logs={"step": state.global_step, **shown}, **kwargs)
