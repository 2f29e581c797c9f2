"""Models, memory, plans, processes and run folders. Imported file by file: not all need torch."""
