"""Dropout off, where it would disturb what is compared: answers, and scores without a gradient."""

import contextlib

import torch


@contextlib.contextmanager
def evaluating(*models: torch.nn.Module):
    """All their modules in evaluation mode, without dropout; afterwards each is in the mode that it was in."""
    training = [module for model in models for module in model.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True
