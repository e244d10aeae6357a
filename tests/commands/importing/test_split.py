import numpy as np

from stages.commands.importing.split import drawn


def labels(count: int) -> dict[str, frozenset[str]]:
    rng = np.random.default_rng(1)
    chances = {"common": 0.6, "other": 0.3, "rare": 0.05}
    return {
        f"p{n}.jpg": frozenset(name for name, chance in chances.items() if rng.random() < chance)
        for n in range(count)
    }


def test_every_class_has_its_share() -> None:
    known = labels(1000)
    val = drawn(known, 0.2)
    for name in ("common", "other", "rare"):
        of_class = {picture for picture, has in known.items() if name in has}
        assert abs(len(of_class & val) - 0.2 * len(of_class)) <= 0.02 * len(of_class) + 1
    free = {picture for picture, has in known.items() if not has}
    assert len(free & val) == round(0.2 * len(free))


def test_names_alone_decide() -> None:
    known = labels(200)
    backwards = dict(reversed(known.items()))
    assert drawn(known, 0.2) == drawn(backwards, 0.2)
    moved = {name.replace("p", "q"): has for name, has in known.items()}
    assert {name.replace("q", "p") for name in drawn(moved, 0.2)} != drawn(known, 0.2)


def test_train_shows_every_class() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        pictures = {str(rng.integers(1 << 40)): frozenset(rng.choice(list("abcdef"), 2)) for _ in range(9)}
        train = [has for name, has in pictures.items() if name not in drawn(pictures, 0.5)]
        assert frozenset().union(*train) == frozenset().union(*pictures.values())


def test_a_class_of_two_is_in_both_and_of_one_in_train() -> None:
    val = drawn({"a": frozenset({"x"}), "b": frozenset({"x"}), "c": frozenset({"y"})}, 0.2)
    assert len(val & {"a", "b"}) == 1 and "c" not in val
