"""One training loop for any strategy: networks that learn in turn, resumable at any step."""
