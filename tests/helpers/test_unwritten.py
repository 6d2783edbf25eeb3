"""The note that stands in for a result while an exercise is unwritten."""

import functools

import pytest

from cs231n_utils import once_written, unwritten


def stub():
    raise NotImplementedError("stub: <write me>")


def written():
    return 1


def written_on_top_of_a_stub():
    return stub()


@pytest.fixture
def shown(monkeypatch):
    notes = []
    monkeypatch.setattr(unwritten, "display", notes.append)
    return notes


@functools.wraps(stub)
def decorated():
    return stub()


@pytest.mark.parametrize(
    "function", [stub, decorated, functools.partial(stub)], ids=["plain", "decorated", "partial"]
)
def test_an_unwritten_function_shows_a_note_in_place_of_an_error(function, shown):
    with once_written(function):
        function()
    assert len(shown) == 1
    assert "isn't written yet" in repr(shown[0])
    assert "END OF YOUR CODE" in shown[0]._repr_html_()


def test_a_written_function_shows_nothing(shown):
    with once_written(written):
        written()
    assert shown == []


def test_another_functions_stub_goes_through(shown):
    with pytest.raises(NotImplementedError), once_written(written_on_top_of_a_stub):
        written_on_top_of_a_stub()
    assert shown == []


@pytest.mark.parametrize("error", [ValueError, NotImplementedError, KeyboardInterrupt])
def test_errors_of_the_cell_itself_go_through(error, shown):
    with pytest.raises(error), once_written(stub):
        raise error
    assert shown == []


def test_a_hostile_name_is_escaped():
    assert "<script>" not in unwritten.NotWritten("<script>")._repr_html_()


def test_what_is_not_a_function_is_refused():
    with pytest.raises(TypeError, match="without parentheses"), once_written(3):
        pass
