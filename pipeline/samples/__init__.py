"""Datasets, dialogs and answers as rows to train and evaluate on. Imported file by file: not all need torch."""
