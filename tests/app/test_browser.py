"""Every page in a real browser: its figures, its ways to other pages, and that nothing hostile runs.

Leaves pictures in screenshots/.
"""

import importlib.util
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

if importlib.util.find_spec("playwright") is None or shutil.which("chromium") is None:
    pytest.skip("needs playwright and Chromium (apt-get install chromium)", allow_module_level=True)

from playwright.sync_api import Browser, Page, expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from app.core.database import FRESH_S
from app.text import formats
from oracle.log import LogWriter, delete_run
from oracle.store.build import build_starter_store
from oracle.titles.aliases import aliases_path
from tests.app.sample_log import HOSTILE_STEP, ask
from tests.app.screenshots import LAPTOP, PAGES, PATIENCE_S, PHONE, ROOT, chromium, picture, served, settle, visit
from tests.decisions import current_aliases
from tests.synthetic_log import SETTINGS, World, make_step, write_run

PICTURES = ROOT / "screenshots"
expect.set_options(timeout=PATIENCE_S * 1000)


@pytest.fixture(scope="module")
def address(store: Path) -> Iterator[str]:
    with served(store) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def laptop(browser: Browser) -> Page:
    return watched(browser, color_scheme="light", viewport=LAPTOP)


def watched(browser: Browser, **look) -> Page:
    """A page that notes what must never happen: dialogs, errors, requests to anyone but the app, or forbidden by its headers."""
    page = browser.new_page(**look)
    page.set_default_timeout(PATIENCE_S * 1000)
    page.bad = []  # type: ignore[attr-defined]
    page.on("dialog", lambda dialog: (page.bad.append(dialog.message), dialog.dismiss()))  # type: ignore[attr-defined]
    page.on("console", lambda m: page.bad.append(m.text) if "Content Security Policy" in m.text else None)  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.bad.append(str(error)))  # type: ignore[attr-defined]
    page.on("request", lambda request: page.bad.append(request.url) if _is_foreign(page, request.url) else None)  # type: ignore[attr-defined]
    return page


def _is_foreign(page: Page, url: str) -> bool:
    scheme, _, rest = url.partition("://")
    if scheme not in ("http", "https", "ws", "wss"):
        return False
    return page.url.startswith("http") and rest.split("/")[0] != page.url.split("/")[2]


def newest(store: Path) -> str:
    return ask(store, "select run_id from runs where kind = 'train' order by started_at desc limit 1")[0]["run_id"]


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_drawn(laptop, address, name):
    visit(laptop, f"{address}/{PAGES[name]}")
    picture(laptop, PICTURES / f"{name}-light.png")
    expect(laptop.locator(".headline")).to_be_visible()
    expect(laptop.locator(".state.error")).to_have_count(0)
    expect(laptop.get_by_test_id("stException")).to_have_count(0)
    assert laptop.bad == []


@pytest.mark.parametrize("look", ["dark", "phone"])
def test_pages_are_drawn_in_the_dark_and_on_a_phone_without_scrolling_sideways(browser, address, look):
    size, scheme = (PHONE, "light") if look == "phone" else (LAPTOP, "dark")
    page = watched(browser, color_scheme=scheme, viewport=size)
    for name in ("overview", "ranks", "answer", "titles"):
        visit(page, f"{address}/{PAGES[name]}")
        picture(page, PICTURES / f"{name}-{look}.png")
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    dark = page.evaluate("getComputedStyle(document.querySelector('.headline')).color") != "rgb(31, 36, 40)"
    assert dark == (look == "dark")
    page.close()


def test_the_figures_of_the_overview_are_those_of_the_views(laptop, store, address):
    [row] = ask(
        store,
        "select avg(svr) as svr, avg(recall) as recall, avg(unresolved_rate) as unresolved from step_curves "
        "where run_id = $run and step > 3",
        run=newest(store),
    )
    visit(laptop, f"{address}/{PAGES['overview']}")
    values = laptop.locator(".tile .value").all_inner_texts()
    assert values[:2] == [formats.percent(row["svr"]), formats.number(row["recall"])]
    assert values[3] == formats.percent(row["unresolved"])


def test_a_hostile_answer_is_text_and_nothing_else(laptop, store, address):
    run = newest(store)
    for look in ("ranks", "text"):
        visit(laptop, f"{address}/answer?run={run}&step={HOSTILE_STEP}&prompt=0&show={look}")
        assert laptop.locator(".answer script, .answer img, .answer a, .answer iframe").count() == 0
        assert laptop.evaluate("document.title") != "owned"
    text = laptop.locator(".text").first.inner_text()
    assert "<script>document.title='owned'" in text and "![pixel](http://127.0.0.1:9/pixel.png)" in text
    assert "[U+202E]neddih" in text
    visit(laptop, f"{address}/titles?run={run}")
    visit(laptop, f"{address}/sql?q=select+text,+prompt+from+rollouts+where+contains(text,+'<script>')")
    assert laptop.locator("[data-testid=stMain] script").count() == 0
    assert laptop.bad == []


def test_a_punished_rank_opens_to_its_reason(laptop, store, address):
    [row] = ask(
        store,
        "select step, group_id, completion, rank, title, violated_traits[1] as trait from verdicts "
        "where run_id = $run and r_safe < 0 and match_method = 'exact' order by step desc, completion, rank limit 1",
        run=newest(store),
    )
    visit(laptop, f"{address}/answer?run={newest(store)}&step={row['step']}&prompt={row['group_id']}")
    answer = laptop.locator(".answer").nth(row["completion"] % 6)
    rank = answer.locator(".rank").nth(row["rank"] - 1)
    expect(rank.locator(".why")).to_be_hidden()
    rank.locator("summary").click()
    expect(rank.locator(".why")).to_contain_text(f"{row['title']}")
    expect(rank.locator(".why")).to_contain_text(f"It violates {row['trait']}: risk")
    expect(rank.locator(".why")).to_contain_text("≥ 0.66")


def test_a_cell_of_the_heat_map_leads_to_its_answers_and_on_to_one_of_them(laptop, store, address):
    visit(laptop, f"{address}/ranks?run={newest(store)}")
    laptop.locator("[data-testid=stVegaLiteChart] .mark-rect path").nth(23).click()
    laptop.wait_for_url("**cell=*")
    settle(laptop)
    step, rank = laptop.url.split("cell=")[1].split("&")[0].split("-")
    expect(laptop.locator(".section").nth(1)).to_have_text(f"Rank {rank}, step {step}")
    laptop.locator("[data-testid=stDataFrame] .dvn-scroller").first.click(position={"x": 18, "y": 55})
    laptop.wait_for_url("**/answer?**")
    settle(laptop)
    assert f"step={step}" in laptop.url and f"rank={rank}" in laptop.url
    expect(laptop.locator(".rank.chosen").first).to_contain_text(rank)


def test_filters_stay_when_another_page_is_opened(laptop, store, address):
    [other] = ask(store, "select run_id from runs where kind = 'train' order by started_at limit 1")
    visit(laptop, f"{address}/ranks?run={other['run_id']}&measure=hits")
    laptop.get_by_role("link", name="Traits and films").click()
    laptop.wait_for_url("**/films?**")
    settle(laptop)
    assert f"run={other['run_id']}" in laptop.url
    expect(laptop.locator(".eyebrow")).to_contain_text(other["run_id"])


def test_an_alias_is_confirmed_and_taken_back(laptop, store, address):
    visit(laptop, f"{address}/titles?run={newest(store)}&kind=doubtful")
    confirm, undo = (laptop.get_by_role("button", name=name) for name in ("It is this one", "Undo"))
    confirm.first.click()
    expect(undo).to_be_visible()
    expect(confirm).to_have_count(0)  # what stood there before is gone as well
    assert current_aliases(store).num_rows == 1
    undo.click()
    expect(confirm.first).to_be_visible()
    expect(undo).to_have_count(0)
    assert current_aliases(store).num_rows == 0
    aliases_path(store).unlink()


def test_a_query_is_typed_stopped_run_and_taken_away(laptop, store, address):
    visit(laptop, f"{address}/sql")
    editor = laptop.get_by_label("SQL", exact=True)
    editor.fill("select sum(a.range * b.range) from range(10000000) a, range(10000000) b")
    laptop.get_by_role("button", name="Run", exact=True).click()
    expect(laptop.get_by_text("Running …")).to_be_visible()
    laptop.get_by_role("button", name="Stop").click()
    settle(laptop)
    expect(laptop.get_by_text("Running …")).to_be_hidden()
    expect(laptop.locator(".state")).to_have_count(0)  # nor was it asked to the end
    editor.fill("select run_id, kind from runs order by run_id")
    laptop.get_by_role("button", name="Run", exact=True).click()
    expect(laptop.get_by_text("4 rows")).to_be_visible()
    settle(laptop)
    laptop.get_by_test_id("stDataFrame").last.hover()
    unsafe = laptop.get_by_test_id("stElementToolbar").get_by_label("Download as CSV").last
    expect(unsafe).to_be_attached()
    expect(unsafe).to_be_hidden()
    with laptop.expect_download() as download:
        laptop.get_by_role("button", name="CSV", exact=True).click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == 5 and lines[1].startswith(f'"{ask(store, "select min(run_id) as r from runs")[0]["r"]}"')
    editor.fill("copy runs to '/tmp/stolen.csv'")
    laptop.get_by_role("button", name="Run", exact=True).click()
    expect(laptop.locator(".state.error")).to_contain_text("expected one SELECT, got COPY")


def test_a_file_is_that_of_the_answer_that_is_shown_however_like_another_it_is(laptop, address):
    """Streamlit tells long files apart by their ends and middle."""
    visit(laptop, f"{address}/sql")
    for reward in (7, 2):
        sql = f"select range as n, if(range = 3000, {reward}, 1) as reward, repeat('x', 80) as title from range(15000)"
        laptop.get_by_label("SQL", exact=True).fill(sql)
        laptop.get_by_role("button", name="Run", exact=True).click()
        expect(laptop.get_by_text("15,000 rows")).to_be_visible()
        settle(laptop)
        with laptop.expect_download() as download:
            laptop.get_by_role("button", name="CSV", exact=True).click()
        assert Path(download.value.path()).read_text().splitlines()[3001].startswith(f"3000,{reward},")


_SAY = """bytes => new Promise((heard, failed) => {
    const socket = new WebSocket(location.origin.replace("http", "ws") + "/_stcore/stream", ["streamlit"]);
    socket.onopen = () => { socket.send(new Uint8Array(bytes)); setTimeout(heard, 500, "open"); };
    socket.onclose = end => heard(end.code);
    socket.onerror = failed;
})"""


def test_nobody_throws_away_the_answers_of_others(laptop, browser, address):
    """Streamlit takes such a message from anybody who reaches its port."""
    visit(laptop, f"{address}/sql")
    laptop.get_by_label("SQL", exact=True).fill("select 41 + 1 as n")
    laptop.get_by_role("button", name="Run", exact=True).click()
    expect(laptop.get_by_text("1 row", exact=True)).to_be_visible()
    other = watched(browser)
    visit(other, address)
    said = BackMsg(clear_cache=True).SerializeToString()
    assert other.evaluate(_SAY, list(said)) == "open"
    assert other.evaluate(_SAY, list(said + bytes(1_000_000))) == 1009  # too large
    other.close()
    with laptop.expect_download() as download:
        laptop.get_by_role("button", name="CSV", exact=True).click()
    assert Path(download.value.path()).read_text().splitlines() == ['"n"', "42"]


@pytest.mark.parametrize(
    ("method", "path", "host", "status"),
    [
        ("GET", "/", None, 200),
        ("GET", "/_stcore/health", None, 200),
        ("GET", "/", "evil.example", 403),
        ("PUT", "/_stcore/upload_file/x/y", None, 405),
    ],
)
def test_every_answer_forbids_foreign_scripts_and_frames(address, method, path, host, status):
    request = urllib.request.Request(address + path, method=method, headers={"Host": host} if host else {})
    try:
        answer = urllib.request.urlopen(request, timeout=PATIENCE_S)
    except urllib.error.HTTPError as error:
        answer = error
    assert answer.status == status
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'; script-src 'self' ")
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_only_this_machine_is_listened_to(address):
    port = f"{int(address.rsplit(':', 1)[1]):04X}"
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    listening = [row[1] for row in rows if row[3] == "0A" and row[1].endswith(f":{port}")]
    assert listening == [f"0100007F:{port}"]


def test_a_step_that_is_written_while_one_looks_appears_by_itself(browser, tmp_path):
    store = build_starter_store(tmp_path / "store.duckdb")
    log, world = store.with_suffix(".log"), World(n_films=300)
    run = write_run(log, steps=2, prompts=2, world=world)
    page = watched(browser, viewport=LAPTOP)
    with served(store) as address:
        visit(page, address)  # the run is young, so the page is live
        expect(page.locator(".lead")).to_contain_text("of 2.")
        with LogWriter.resume(log, run) as writer:
            writer.write_step(3, *make_step(world, SETTINGS, 3, 3, 2, 0))
        expect(page.locator(".lead")).to_contain_text("of 3.")
    page.close()


def test_a_step_that_is_damaged_and_a_run_that_is_deleted_while_one_looks_are_told_by_themselves(browser, tmp_path):
    store = build_starter_store(tmp_path / "store.duckdb")
    log, world = store.with_suffix(".log"), World(n_films=300)
    other, run = (write_run(log, steps=3, prompts=2, world=world) for _ in range(2))
    page = watched(browser, viewport=LAPTOP)
    with served(store) as address:
        visit(page, f"{address}/?live=yes&run={run}&with={other}")
        expect(page.locator(".lead")).to_contain_text("of 3.")
        expect(page.locator(".state")).to_have_count(0)
        expect(page.locator(".legend")).to_have_count(1)
        page.evaluate("window.same = true")
        file = next((log / run).glob("step-00000003*/verdicts.parquet"))
        content = bytearray(file.read_bytes())
        content[60 : len(content) // 3] = bytes(byte ^ 0x5A for byte in content[60 : len(content) // 3])
        file.write_bytes(content)
        expect(page.locator(".state.error")).to_contain_text("step-00000003")
        expect(page.locator(".lead")).to_contain_text("of 2.")
        delete_run(log, other)
        expect(page.get_by_text(f"The log has no run {other}")).to_be_visible()
        expect(page.locator(".legend")).to_have_count(0)
        assert other not in page.url and run in page.url
        settle(page)
        page.wait_for_timeout(1000 * (2 * FRESH_S + 2))
        expect(page.get_by_text(f"The log has no run {other}")).to_be_visible()  # so it was not drawn again and again
        expect(page.locator(".state.error")).to_contain_text("step-00000003")
        expect(page.get_by_test_id("stException")).to_have_count(0)
        assert page.evaluate("window.same") and page.bad == []  # nobody has opened it anew
    page.close()


def test_the_row_that_is_clicked_is_opened_whatever_has_come_into_its_place(browser, tmp_path):
    """A step that is written beside a table goes before its rows."""
    store = build_starter_store(tmp_path / "store.duckdb")
    log, world = store.with_suffix(".log"), World(n_films=300)
    run = write_run(log, steps=65, prompts=1, world=world)  # of so many, two steps make a cell
    page = watched(browser, viewport={"width": 1280, "height": 1600})
    with served(store) as address:
        visit(page, f"{address}/ranks?run={run}&cell=65-1")
        with LogWriter.resume(log, run) as writer:
            writer.write_step(66, *make_step(world, SETTINGS, 66, 100, 1, 0))
        [first] = ask(store, "select step from verdicts where run_id = $run and step > 64 and rank = 1 "
                      "order by r_total nulls last, advantage, step desc, completion limit 1", run=run)  # fmt: skip
        assert first["step"] == 66
        page.wait_for_timeout(1000 * (FRESH_S + 1))
        page.locator("[data-testid=stDataFrame] .dvn-scroller").first.click(position={"x": 18, "y": 55})
        page.wait_for_url("**/answer?**")
        assert "step=65" in page.url
        page.go_back()
        settle(page)
        assert "/ranks" in page.url
    page.close()
