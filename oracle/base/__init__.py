"""What every other room stands on: the one error that people see, Arrow and numpy columns, and the SQL of `sql/`."""
