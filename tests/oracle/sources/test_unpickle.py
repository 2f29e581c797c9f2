"""Pickles are programs: what they may do, and that nothing else of them runs."""

import io
import os
import pickle
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.base.errors import UserError
from oracle.sources.pickles import read_pickle
from oracle.sources.unpickle import Refused, plain

years = st.none() | st.integers(1870, 2100)
plain_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
) | st.sets(st.tuples(st.text(), years))


@settings(max_examples=40, deadline=None)
@given(data=plain_data, protocol=st.integers(3, 5))
def test_plain_data_come_back_as_they_were(data, protocol):
    assert plain(io.BytesIO(pickle.dumps(data, protocol))) == data


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize(
    "call",
    [
        (os.system, "touch {}"),
        (eval, "open('{}', 'w')"),
        (exec, "open('{}', 'w')"),
        (getattr, "", "join"),
        (bytearray, 1 << 40),
        (Path, "x"),
        (dict, {}),
        (type, "X"),
    ],
    ids=lambda call: call[0].__name__,
)
def test_calls_are_refused_before_they_run(tmp_path, call, protocol):
    trace = tmp_path / "was here"
    function, *arguments = call
    told = [one.format(trace) if isinstance(one, str) else one for one in arguments]
    for data in (
        Calls(function, *told),
        [("Saw", 2004), Calls(function, *told)],
        {("Saw", 2004): Calls(function, *told)},
    ):
        with pytest.raises(Refused, match="asks to load"):
            plain(io.BytesIO(pickle.dumps(data, protocol)))
    assert not trace.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",  # STACK_GLOBAL
        b"cos\nsystem\n(S'true'\ntR.",  # GLOBAL
        b"(S'true'\nios\nsystem\n.",  # INST
        b"\x80\x02cbuiltins\nset\nX\x03\x00\x00\x00__x\x86b.",  # BUILD on a type
        b"\x80\x02\x82\x01.",  # EXT1
        b"\x80\x02X\x01\x00\x00\x00aQ.",  # BINPERSID
        b"\x80\x04]\x94(K\x01e",  # no STOP
        b"\x80\x09N.",  # a protocol that does not exist
    ],
)
def test_hand_made_programs_are_refused(program):
    with pytest.raises(Refused):
        plain(io.BytesIO(program))


BOMBS = {
    "a memo of 4 billion places": b"\x80\x02Nr" + struct.pack("<I", 0xFFFFFFF0) + b".",
    "bytes of 2**40": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"x.",
    "a byte array of 2**40": b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"x.",
    "a frame of 2**60": b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"N.",
    "tuples 300,000 deep as keys": b"\x80\x02}(" + b")" + b"\x85" * 300_000 + b"K\x01u.",
}


@pytest.mark.parametrize("program", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_end_with_a_clear_line(tmp_path, program):
    path = tmp_path / "bomb.pkl"
    path.write_bytes(program)
    with pytest.raises(UserError, match=r"bomb\.pkl is a pickle that") as refusal:
        read_pickle(path)
    assert "\n" not in str(refusal.value)


def test_lists_a_million_deep_are_no_film(tmp_path):
    path = tmp_path / "deep.pkl"
    path.write_bytes(b"\x80\x02" + b"]" * 1_000_000 + b"a" * 999_999 + b".")
    _, rows = read_pickle(path)
    assert rows.to_pylist() == [{"content": "[[[[...]]]]", "imdb_id": None, "title": None, "year": None}]


def test_a_list_that_holds_itself_a_billion_times_over_is_only_shown_in_short(tmp_path):
    laughs: list = ["ha"]
    for _ in range(40):
        laughs = [laughs] * 10
    path = tmp_path / "laughs.pkl"
    path.write_bytes(pickle.dumps([("Saw", 2004), laughs]))
    is_dict, rows = read_pickle(path)
    assert not is_dict
    assert rows["title"].to_pylist() == ["Saw", None]
    assert len(rows["content"][1].as_py()) < 2000
