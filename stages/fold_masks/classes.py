"""Which classes a fold holds out (ZHANG 5.4.2; PASCAL-5i of OSLSM)."""


def asked(arguments: list[str]) -> int:
    """The number of the fold, from 0."""
    if len(arguments) != 1 or not arguments[0].isdigit():
        raise ValueError(
            f"name a fold of few_shot.folds, such as 0; found {' '.join(arguments) or 'nothing'}"
        )
    return int(arguments[0])


def novel_classes(fold: int, size: int, classes: int) -> range:
    """The class indices of a fold, k * size + 1 to (k + 1) * size, of `classes` without the background.

    ValueError for a fold that there is not, and for one that leaves no class to learn from.
    """
    found = range(fold * size + 1, (fold + 1) * size + 1)
    if size >= classes:
        raise ValueError(
            f"fold_masks.fold_classes: {size} of {classes} classes leave none to learn from; "
            f"at most {classes - 1}"
        )
    if found[-1] > classes:
        raise ValueError(
            f"few_shot.folds: there is no fold {fold} of {size} classes (fold_masks.fold_classes) in "
            f"{classes}: at most {classes // size - 1}"
        )
    return found
