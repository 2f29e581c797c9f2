"""How much memory this process takes."""

import psutil


def memory_taken() -> int:
    """Bytes in use; where the system doesn't show them, as without /proc, the most that were ever in use."""
    try:
        return psutil.Process().memory_info().rss
    except (psutil.Error, OSError):
        import resource  # Windows has none, and shows them

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
