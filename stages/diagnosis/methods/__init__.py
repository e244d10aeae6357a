"""Ways to rank pixels: `relevance(case) -> Tensor` [H, W], highest for what is removed first."""
