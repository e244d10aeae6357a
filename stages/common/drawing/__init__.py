"""Pictures with words: a canvas, contact sheets, heat maps, tiles of a page, and their colours."""
