"""What the page of a sweep draws; that it is whole, test_summary.py says."""

import pytest

from pipeline.sweep import page


@pytest.mark.parametrize(
    ("values", "names", "what"),
    [
        ([(4,), (8,), (16,)], ["4", "8", "16"], ""),
        ([("cam", "last"), ("vgatt", "input")], ["cam, last", "vgatt, input"], ""),
        ([({},), ({"sobel": {"weight": 4}},)], ["{}", "sobel"], ""),
        ([({"a": 1},), ({"a": 2},)], ["1", "2"], "row of the table"),  # both would be called a
        ([("x" * 30,), ("y" * 30,)], ["x" * 20 + "…", "y" * 20 + "…"], ""),
        ([(f"{n}" * 30,) for n in range(21)], [str(n) for n in range(1, 22)], "row of the table"),
    ],
)
def test_a_chart_names_its_values_in_the_room_that_it_has(values, names, what):
    assert page.ticks(values) == (names, what)
