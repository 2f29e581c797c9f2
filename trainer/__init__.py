"""Training with one reward and one advantage per rank."""

from trainer.config import RankGRPOConfig
from trainer.rank_grpo_trainer import RankGRPOTrainer

__all__ = ["RankGRPOConfig", "RankGRPOTrainer"]
