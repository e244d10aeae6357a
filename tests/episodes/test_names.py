"""Names of how supports guide, as tables have them and as a person says them."""

from stages.episodes.names import heading, kinds


def test_several_supports_guide_in_two_ways():
    assert kinds([1, 5]) == ["1", "5", "5_average"]
    assert [heading(kind) for kind in kinds([1, 5])] == ["1 shot", "5 shots", "5 shots, average"]
