"""The rollout log: written by one process a run, read by anybody through the views of `sql/`."""

from oracle.log.audit import beside, lock_down, open_audit
from oracle.log.bounds import may_turn
from oracle.log.compaction import compact, delete_run, export_run
from oracle.log.decisions import name_alias_files, use_alias_files
from oracle.log.evasion import ROUNDING, EvasionRule, evasion_rules, is_above
from oracle.log.macros import quoted, quoted_name
from oracle.log.plain import sayable, storable
from oracle.log.queries import NamedQuery, ask, ask_about, ask_sql, named_queries
from oracle.log.reading import GRACE_S, query
from oracle.log.run_info import run_info
from oracle.log.select import MOST_CHARACTERS
from oracle.log.state import seen_last, state_of
from oracle.log.tables import KINDS, write_rows
from oracle.log.times import last_step_at
from oracle.log.upkeep import tidy_log
from oracle.log.views import create_log_views, open_log
from oracle.log.writer import LogWriter, whole_run

__all__ = [
    "GRACE_S",
    "KINDS",
    "MOST_CHARACTERS",
    "ROUNDING",
    "EvasionRule",
    "LogWriter",
    "NamedQuery",
    "ask",
    "ask_about",
    "ask_sql",
    "beside",
    "compact",
    "create_log_views",
    "delete_run",
    "evasion_rules",
    "export_run",
    "is_above",
    "last_step_at",
    "lock_down",
    "may_turn",
    "name_alias_files",
    "named_queries",
    "open_audit",
    "open_log",
    "query",
    "quoted",
    "quoted_name",
    "run_info",
    "sayable",
    "seen_last",
    "state_of",
    "storable",
    "tidy_log",
    "use_alias_files",
    "whole_run",
    "write_rows",
]
