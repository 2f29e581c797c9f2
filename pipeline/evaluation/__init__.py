"""Evaluation of any model's answers: collecting, judging, statistics, reports. Imported file by file: not all need torch."""
