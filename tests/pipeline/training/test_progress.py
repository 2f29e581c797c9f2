"""What training prints: a line that can be read."""

from transformers import TrainerControl, TrainerState, TrainingArguments

from pipeline.training.progress import Progress


def test_of_a_step_that_answered_prompts_only_what_matters_is_printed(tmp_path, capsys):
    args, state, control = TrainingArguments(tmp_path), TrainerState(max_steps=4), TrainerControl()
    state.is_world_process_zero, state.global_step = True, 3
    progress = Progress()
    progress.on_train_begin(args, state, control)
    progress.on_log(args, state, control, logs={"loss": 0.1, "kl/rank_1": 0.2, "svr": 0.25, "recall": 0.5, "kl": 0.1})
    progress.on_log(args, state, control, logs={"loss": 0.1, "kl/rank_1": 0.2})  # a batch is used a second time
    progress.on_log(args, state, control, logs={"eval_svr": 0.125, "eval_runtime": 3.0})
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert lines == ["{'step': 3, 'svr': '0.25', 'recall': '0.5'}", "{'step': 3, 'eval_svr': '0.125'}"]
