"""Names of how supports guide, as tables have them and as a person says them."""

from stages.episodes.names import heading, kinds, order


def test_several_supports_guide_in_two_ways():
    assert kinds([1, 5]) == ["1", "5", "5_average", "any"]
    said = [heading(kind) for kind in kinds([1, 5])]
    assert said == ["1 shot", "5 shots", "5 shots, average", "every object"]


def test_they_are_sorted_by_shots():
    assert sorted(["any", "10", "5_average", "5"], key=order) == ["5", "5_average", "10", "any"]
