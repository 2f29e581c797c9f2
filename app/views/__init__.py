"""The pages, one a file: each has `page()`. (A folder called pages beside main.py is Streamlit's own way, which this is not.)"""
