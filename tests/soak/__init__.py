"""Everything at once, for minutes, with kills: `make soak`."""
