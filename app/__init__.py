"""The audit app: what a run did, why each rank was rewarded so, and whether to trust it. Its entry is `main.py`."""
