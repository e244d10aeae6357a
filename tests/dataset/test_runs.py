import numpy as np
import pytest

from stages.dataset.runs import brush, coco_counts, coco_text, filled, lengths
from tests.commands.importing.made import brush_bytes, compressed, run_lengths


def test_the_text_of_cocoapi() -> None:
    """By hand: 307200 is 0, 0, 12, 9 in groups of 5 bits; 48 + 32 + 0 is P, 48 + 32 + 12 \\, 48 + 9 is 9."""
    assert coco_counts("PP\\9") == [480 * 640]
    assert coco_counts("0`0") == [0, 16]  # 16 has the sign's bit, so another group follows
    assert coco_counts("521N") == [5, 2, 1, 0]  # the fourth is 2 - 2: N is 30, 5 bits of -2


def test_what_is_compressed_comes_back() -> None:
    rng = np.random.default_rng(0)
    for size in (1, 40, 3000, 70000):
        counts = rng.integers(0, size, 50).tolist()
        assert coco_counts(compressed(counts)) == counts
        assert coco_text(counts) == compressed(counts)
    assert coco_text([]) == "" and coco_text([480 * 640]) == "PP\\9" and coco_text([5, 2, 1, 0]) == "521N"


def test_the_lengths_of_runs() -> None:
    for number in range(32):  # every row of five pixels
        values = np.array([number >> bit & 1 for bit in range(5)], bool)
        assert lengths(values) == run_lengths(values)


@pytest.mark.parametrize("text", ["P", "0\n", "0é"])
def test_broken_texts(text) -> None:
    with pytest.raises(ValueError, match="compressed RLE"):
        coco_counts(text)


def test_runs_fill_columns_or_rows() -> None:
    mask = np.random.default_rng(0).random((5, 7)) > 0.5
    assert np.array_equal(filled(run_lengths(mask.T.ravel()), (5, 7), by_columns=True), mask)
    assert np.array_equal(filled(run_lengths(mask.ravel()), (5, 7), by_columns=False), mask)
    for counts in ([34], [36], [36, -1], []):
        with pytest.raises(ValueError, match="its RLE does not fill 7x5 pixels"):
            filled(counts, (5, 7), by_columns=True)


def test_a_brush_is_where_it_is_at_least_half() -> None:
    mask = np.random.default_rng(0).random((9, 13)) > 0.7
    mask[3:6] = True
    content = brush_bytes(mask)
    assert np.array_equal(brush(content, (9, 13)), mask)
    with pytest.raises(ValueError, match="its brush has 117 pixels, not 9x9"):
        brush(content, (9, 9))
    with pytest.raises(ValueError, match="its brush ends too soon"):
        brush(content[:-9], (9, 13))
