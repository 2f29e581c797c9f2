"""What people run: prepare data, fine-tune, train, evaluate."""
