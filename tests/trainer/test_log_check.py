"""A log says what its trainer does, or is refused before a step is trained."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oracle import UserError, create_oracle
from oracle.annotate import Annotator
from oracle.log import LogWriter, open_log
from tests.trainer.drive import G, K
from tests.trainer.tokenizers import byte_level
from trainer.log_check import check_log
from trainer.rewards import make_count_func, make_relevance_func, make_safe_reward_func, make_safety_func

RUN = {"kind": "train", "rec_num": K, "num_generations": G}


@pytest.mark.parametrize(
    ("run", "options", "told"),
    [
        ({"rec_num": K + 2}, {}, f"'rec_num': {K}"),
        ({"num_generations": 1}, {}, f"'num_generations': {G}"),
        ({"kind": "evaluate"}, {}, "'kind': 'train'"),
        ({}, {"advantage_mode": "gdpo"}, "'advantage_mode': 'gdpo'"),
        ({}, {"reward_weights": [1.0, 2.0]}, "'w_safe': 2.0"),
        ({"lambda_safe": 3.0, "risk_threshold": 0.5}, {}, "'risk_threshold': 0.66, 'lambda_safe': 1.0"),
        ({"unresolved": "violation"}, {}, "'unresolved': 'safe'"),
        ({"lambda_repeat": 1.0}, {}, "'lambda_repeat': 0.0"),
        ({"own_weights": {"novelty": 1.0}}, {}, r"'own_weights': \{\}"),
        ({}, {"missing_ranks": "leave_out"}, r"""'settings': '\{"missing_ranks": "leave_out"\}'"""),
        ({}, {"end_credit": True}, r"""'settings': '\{"end_credit": true\}'"""),
        ({"settings": '{"end_credit": true}'}, {}, r"""'settings': '\{"end_credit": false\}'"""),
    ],
)
def test_a_log_that_says_otherwise_is_refused_with_what_to_write(run, options, told, make_trainer, tmp_path):
    with (
        LogWriter(tmp_path / "log", RUN | run) as log,
        pytest.raises(UserError, match=rf"LogWriter\(root, \{{…, {told}\}}\)$"),
    ):
        make_trainer(byte_level(), log=log, **options)


def test_what_is_told_is_taken(make_trainer, small_oracle_of_policies, tmp_path):
    annotator = Annotator(small_oracle_of_policies)
    functions = [
        make_relevance_func(annotator, "exp_inf", K), make_safety_func(annotator, 2.0, 3.0, "dcg", K),
        make_count_func(annotator, 0.5, None, K),
    ]  # fmt: skip
    run = {
        "reward_func": "exp_inf", "lambda_safe": 2.0, "penalty_safe": 3.0, "safety_discount": "dcg", "lambda_count": 0.5,
        "w_count": 0.25, "unresolved": "violation", "unrated": "ignore", "risk_threshold": 0.4,
    }  # fmt: skip
    with LogWriter(tmp_path / "log", RUN | run) as log:
        make_trainer(byte_level(), functions, log, reward_weights=[1.0, 1.0, 0.25])


def test_relevance_and_safety_in_one_are_their_two_weights(make_trainer, annotator, tmp_path):
    functions = [make_safe_reward_func(annotator, rec_num=K)]
    with LogWriter(tmp_path / "log", RUN | {"w_rel": 0.5, "w_safe": 0.5}) as log:
        make_trainer(byte_level(), functions, log, reward_weights=[0.5])


def test_a_run_of_an_earlier_version_goes_on(make_trainer, tmp_path):
    with LogWriter(tmp_path / "log", RUN) as log:
        file = log.folder / "run.parquet"
    pq.write_table(pq.read_table(file).drop_columns(["unrated", "length_control", "own_weights"]), file)
    with LogWriter.resume(tmp_path / "log", log.run_id) as resumed:
        make_trainer(byte_level(), log=resumed)


def test_a_run_that_an_earlier_version_began_with_a_threshold_of_all_its_digits_is_not_judged_by_another(
    make_trainer, annotator, tmp_path
):
    oracle = create_oracle(store=annotator.oracle.store, risk_threshold=2 / 3)
    functions = [make_relevance_func(oracle, rec_num=K), make_safety_func(oracle, rec_num=K)]
    with LogWriter(tmp_path / "log", RUN) as log:
        file = log.folder / "run.parquet"
    table = pq.read_table(file)
    place = table.column_names.index("risk_threshold")
    pq.write_table(table.set_column(place, "risk_threshold", pa.array([2 / 3])), file)
    with (
        LogWriter.resume(tmp_path / "log", log.run_id) as resumed,
        pytest.raises(UserError, match=r"begun with risk_threshold 0.6666666666666666, of which 9 digits count now"),
    ):
        make_trainer(byte_level(), functions, resumed)


@pytest.mark.parametrize(
    "settings",
    ['{"end_credit": 1}', '{"end_credit": "yes"}', '[["end_credit", true]]', "[" * 5000, '{"end_credit": null}', "7"],
)
def test_settings_are_believed_as_the_views_believe_them(settings, make_trainer, tmp_path):
    with (
        LogWriter(tmp_path / "log", RUN | {"settings": settings}) as log,
        pytest.raises(UserError, match=r"""\{…, 'settings': '\{"end_credit": true\}'\}"""),
    ):
        make_trainer(byte_level(), log=log, end_credit=True)
    with open_log(tmp_path / "log") as connection:
        assert connection.sql("select rewarded_ranks from run_shape").fetchall() == [(K,)]


@pytest.mark.parametrize(
    ("made", "weights", "lacking"),
    [
        ([make_safety_func], {"w_rel": 0.0}, "relevance"),
        ([make_relevance_func], {"w_safe": 0.0}, "safety"),
        ([], {"w_rel": 0.0, "w_safe": 0.0}, "relevance and safety"),
    ],
)
def test_a_log_needs_relevance_and_safety_from_which_its_figures_follow(
    made, weights, lacking, make_trainer, annotator, tmp_path
):
    functions = [make(annotator, rec_num=K) for make in made] + [make_count_func(annotator, 0.5, None, K)]
    with (
        LogWriter(tmp_path / "log", RUN | weights | {"lambda_count": 0.5}) as log,
        pytest.raises(UserError, match=f"a log holds the {lacking} of each rank.*reward_funcs, of weight 0"),
    ):
        make_trainer(byte_level(), functions, log)
    make_trainer(byte_level(), functions)


def test_an_evaluation_log_must_have_as_many_answers_to_a_prompt_as_evaluations(make_trainer, annotator, tmp_path):
    functions = [make_relevance_func(annotator, rec_num=K), make_safety_func(annotator, rec_num=K)]
    with LogWriter(tmp_path / "log", RUN | {"kind": "evaluate", "num_generations": 1}) as log:
        one = make_trainer(byte_level(), functions, num_generations_eval=1).args
        check_log(log, functions, one, annotator, in_training=False)
        with pytest.raises(UserError, match=rf"'num_generations': {G}\}}"):
            check_log(log, functions, make_trainer(byte_level(), functions).args, annotator, in_training=False)


def test_evaluations_have_a_log_of_their_own(make_trainer, tmp_path):
    with (
        LogWriter(tmp_path / "log", RUN) as log,
        pytest.raises(UserError, match="evaluation_log: expected a run of its own"),
    ):
        make_trainer(byte_level(), log=log, evaluation_log=log)
    with (
        LogWriter(tmp_path / "log", RUN) as one,
        LogWriter(tmp_path / "log", RUN) as other,
        pytest.raises(UserError, match=r"\{…, 'kind': 'evaluate'\}"),
    ):
        make_trainer(byte_level(), log=one, evaluation_log=other)


def test_functions_that_judge_otherwise_or_rank_otherwise_are_refused(
    make_trainer, annotator, small_oracle_of_policies
):
    relevance = make_relevance_func(annotator, rec_num=K)
    with pytest.raises(
        UserError, match=r"reward safety judges by \{.*'risk_threshold': 0.4.*: make all of one annotator"
    ):
        make_trainer(byte_level(), [relevance, make_safety_func(Annotator(small_oracle_of_policies), rec_num=K)])
    films = pa.table({"title": ["Up"], "year": [2009]})
    for other in (Annotator(annotator.oracle, films), Annotator(annotator.oracle, thought_tags=["plan"])):
        with pytest.raises(UserError, match=r"reward safety judges by .*: make all of one annotator"):
            make_trainer(byte_level(), [relevance, make_safety_func(other, rec_num=K)])
    make_trainer(byte_level(), [relevance, make_safety_func(Annotator(annotator.oracle), rec_num=K)])
    with pytest.raises(UserError, match=f"reward safety is made for rec_num={K - 1}, and the trainer has {K}"):
        make_trainer(byte_level(), [relevance, make_safety_func(annotator, rec_num=K - 1)])


@pytest.fixture
def small_oracle_of_policies(annotator):
    return create_oracle(store=annotator.oracle.store, risk_threshold=0.4, unresolved="violation", unrated="ignore")
