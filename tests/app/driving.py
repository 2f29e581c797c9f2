"""Runs one page of the app without a browser."""

from pathlib import Path

from streamlit.testing.v1 import AppTest


def _script(page: str, store: str) -> None:
    """What main.py does for one page (AppTest reads this function's text)."""
    import importlib

    from app.components import states
    from app.core import database

    def show() -> None:
        database.use(store)
        importlib.import_module(f"app.views.{page}").page()

    states.or_problem(show)


def open_page(page: str, store: Path, **filters: object) -> AppTest:
    """The page as it stands after its first run, with these filters in the URL; fails where it fails."""
    app = AppTest.from_function(_script, args=(page, str(store)), default_timeout=180)
    for name, value in filters.items():
        app.query_params[name] = str(value)
    return checked(app.run())


def checked(app: AppTest) -> AppTest:
    assert not app.exception, app.exception
    return app


def written(app: AppTest) -> str:
    """The HTML that the page has put together itself: headlines, figures, answers, states."""
    return "\n".join(element.proto.body for element in app.get("html"))
