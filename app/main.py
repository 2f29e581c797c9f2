"""Entry of the audit app. It reads a store and its log; what it writes is what people decide about titles, and a log's columns.

streamlit run app/main.py -- --store store.duckdb
streamlit run app/main.py --server.address 0.0.0.0 -- --store store.duckdb    # for others on the network too
"""

import sys
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from app.core.guard import Guard
from app.script import main

app = st.App(Path(__file__).with_name("script.py"), middleware=[Middleware(Guard)])  # Streamlit finds it by this name

if __name__ == "__main__":  # run as a script, as AppTest does: no server, so no guard
    main(sys.argv[1:])
