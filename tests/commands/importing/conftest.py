from tests.dataset.conftest import raw_png

__all__ = ["raw_png"]
