"""What pages are put together from: charts, tables, answers, styles and states."""
