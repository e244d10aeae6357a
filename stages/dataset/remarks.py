"""What is odd about the pictures of a set as a whole, and no reason to refuse it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from stages.common.door import visible
from stages.dataset.records import Record
from stages.dataset.words import few


def remarks(classes: Sequence[str], records: Sequence[Record], pixels: Mapping[str, str]) -> list[str]:
    """`pixels` holds by identifier what is equal for equal pictures."""
    found = [*_unused(classes, records), *_everywhere(classes, records), *_negatives(records)]
    return [visible(text) for text in [*found, *equal_pictures(records, pixels)]]


def _unused(classes: Sequence[str], records: Sequence[Record]) -> list[str]:
    """Classes that no picture has keep their index, since masks may have it."""
    seen = {label for record in records for label in record.labels}
    unused = [name for name in classes if name not in seen]
    if not unused:
        return []
    return [f"{len(unused)} of {len(classes)} classes are in no picture, so not learnt: {few(unused, 5)}"]


def _everywhere(classes: Sequence[str], records: Sequence[Record]) -> list[str]:
    """A class is learnt by the difference to pictures without it."""
    train = [record.labels for record in records if record.split == "train"]
    always = [name for name in classes if train and all(name in labels for labels in train)]
    if not always:
        return []
    need = "add pictures without it (an empty cell of labels means: no class)"
    return [f"every training picture has {few(always)}, so it cannot be learnt what it looks like: {need}"]


def _negatives(records: Sequence[Record]) -> list[str]:
    """Pictures without a class in one split only: what is learnt is not what is scored."""
    train, val = ([r.labels for r in records if r.split == split] for split in ("train", "val"))
    if not train or not val:
        return []
    if not any(val):
        return ["no picture of val has a class: there is no mAP"]
    of_train, of_val = (sum(not labels for labels in split) for split in (train, val))
    if of_val and not of_train:
        return [
            f"{of_val} of {len(val)} pictures of val have no class, and none of train: no training ever sees "
            "a picture that shows nothing"
        ]
    if of_train and not of_val:
        return [
            f"{of_train} of {len(train)} training pictures have no class, and none of val: how often "
            "something is found where nothing is, is not scored"
        ]
    return []


def equal_pictures(records: Sequence[Record], pixels: Mapping[str, str]) -> list[str]:
    """Pictures with the same pixels under two names: in both splits, or in one."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[pixels[record.id]].append(record)
    alike = [group for group in groups.values() if len(group) > 1]
    across = [group for group in alike if len({record.split for record in group}) > 1]
    within = [group for group in alike if group not in across]
    found = []
    if across:
        pair = {record.split: record.id for record in across[0]}
        names = f"as {pair['train']} and {pair['val']}"
        found.append(
            f"the same picture is in train and val, {len(across)} times ({names}): scores of val are too good"
        )
    if within:
        one, other = within[0][:2]
        names = f"as {one.id} and {other.id}"
        found.append(f"the same picture is twice in one split, {len(within)} times ({names})")
    other_labels = [group for group in alike if len({frozenset(record.labels) for record in group}) > 1]
    if other_labels:
        one, other = other_labels[0][:2]
        found.append(f"{len(other_labels)} of these have different labels (as {one.id} and {other.id})")
    return found
