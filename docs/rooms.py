"""Draw docs/rooms.svg: the rooms of pipeline/ and what each imports from, read from the code.

python docs/rooms.py
"""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
# From the ground up.
ORDER = ("project", "memory", "results", "engine", "sweep", "ledger", "flows", "upkeep", "cli")
WIDTH, HEIGHT, GAP, LEFT = 250, 44, 26, 20  # pixels of a room, between two, and beside them
TEXT = 'font-family="system-ui, sans-serif" fill="#222"'
BOX = 'fill="#eef2f8" stroke="#4a6fa5"'
LINE = 'fill="none" stroke="#4a6fa5" stroke-opacity="0.55"'


def main() -> None:
    rooms = {room: sorted((ROOT / "pipeline" / room).rglob("*.py")) for room in ORDER}
    counts = {
        (room, other): sum(imports(file).count(other) for file in files)
        for room, files in rooms.items()
        for other in ORDER
        if other != room
    }
    arrows = {pair: count for pair, count in counts.items() if count}
    height = len(ORDER) * (HEIGHT + GAP) + GAP
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT * 2 + WIDTH + 300}" height="{height}">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for room, files in rooms.items():
        y = top(room)
        about = f"{len(files)} files, {sum(len(file.read_text().splitlines()) for file in files)} lines"
        lines += [
            f'<rect x="{LEFT}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6" {BOX}/>',
            f'<text x="{LEFT + 12}" y="{y + 19}" {TEXT} font-size="15">{room}/</text>',
            f'<text x="{LEFT + 12}" y="{y + 36}" {TEXT} font-size="11">{about}</text>',
        ]
    for number, ((room, other), count) in enumerate(sorted(arrows.items(), key=lambda one: span(one[0]))):
        lines += arrow(room, other, count, LEFT + WIDTH + 8 + 9 * number)
    lines.append("</svg>")
    (ROOT / "docs" / "rooms.svg").write_text("\n".join(lines) + "\n")
    up = [pair for pair in arrows if ORDER.index(pair[0]) < ORDER.index(pair[1])]
    print(f"docs/rooms.svg: {len(ORDER)} rooms, {len(arrows)} arrows, {len(up)} of them upwards")


def imports(file: Path) -> list[str]:
    """The rooms that a file imports from, one for each import."""
    found = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline."):
            found.append(str(node.module).split(".")[1])
    return found


def top(room: str) -> int:
    return GAP + (len(ORDER) - 1 - ORDER.index(room)) * (HEIGHT + GAP)


def span(pair: tuple[str, str]) -> int:
    return ORDER.index(pair[0]) - ORDER.index(pair[1])


def arrow(room: str, other: str, count: int, x: int) -> list[str]:
    """From the room down to the one that it imports from, as thick as there are imports."""
    start, end = top(room) + HEIGHT / 2, top(other) + HEIGHT / 2
    width = 1 + count**0.5 / 2
    path = f"M {LEFT + WIDTH} {start} H {x} V {end} H {LEFT + WIDTH + 5}"
    head = f"M {LEFT + WIDTH + 8} {end - 4} L {LEFT + WIDTH} {end} L {LEFT + WIDTH + 8} {end + 4} Z"
    title = f"<title>{room} imports from {other} in {count} places</title>"
    return [
        f'<path d="{path}" {LINE} stroke-width="{width:.2f}">{title}</path>',
        f'<path d="{head}" fill="#4a6fa5"/>',
    ]


if __name__ == "__main__":
    main()
