"""The pages, one a file: each has `page()`."""
