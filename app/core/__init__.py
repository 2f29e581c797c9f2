"""Where pages get their figures: the log and the store, the URL, the chosen run, and processes for people's SQL."""
