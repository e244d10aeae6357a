"""What few-shot segmentation learns from, masks without a fold's classes, and is asked: episodes of them."""
