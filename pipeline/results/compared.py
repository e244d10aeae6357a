"""Which rungs of a ladder are compared with each other."""

from collections.abc import Collection

from pipeline.project.tables import Table


def below(rows: Table, merged: Collection[str] = ()) -> list[dict[str, str] | None]:
    """For each row of the ladder the one that it is compared with, if any.

    That is the nearest one below that is scored in the same classes (`merged` names the rungs of object and
    ground), where it is of the same split.
    """
    found: list[dict[str, str] | None] = []
    last: dict[bool, dict[str, str]] = {}
    for row in rows:
        before = last.get(row["rung"] in merged)
        found.append(before if before and before["split"] == row["split"] else None)
        last[row["rung"] in merged] = row
    return found
