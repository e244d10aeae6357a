"""Text for a terminal: names of others, which hold anything, and times, speeds and lists in short."""

from rich.markup import escape as escape_markup

from stages.common.door import visible


def escape(text: str) -> str:
    """Text that rich prints as it is: no markup, nothing that steers the terminal."""
    shown = visible(text)
    return escape_markup(f"{shown} " if shown.endswith("\\") else shown)  # or it would escape what follows


def shorten(why: tuple[str, ...], most: int = 3) -> str:
    return "; ".join(why[:most]) + (f"; and {len(why) - most} more" if len(why) > most else "")


def clock(seconds: float | None) -> str:
    """12 s, 3:05 or 2:10:00."""
    if seconds is None:
        return "?"
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def rate(count: float, seconds: float) -> str:
    """12/s, 1.5/s or 20/min; empty while nothing is known."""
    if count <= 0 or seconds <= 0:
        return ""
    speed = count / seconds
    return f"{60 * speed:.2g}/min" if speed < 0.5 else f"{speed:.1f}/s" if speed < 10 else f"{speed:.0f}/s"
