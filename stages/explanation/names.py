"""The explanation metrics by name, and which end of each is the better one."""

HIGH, LOW = "high", "low"
BETTER = {  # each metric, and which end of it is the better one; the first five are of single pairs
    "increase_in_confidence": HIGH,
    "average_drop": LOW,
    "average_retention": HIGH,
    "average_drop_of_others": HIGH,
    "average_retention_of_others": LOW,
    "f1_plus": HIGH,
    "f1_minus": LOW,
}
METRICS = tuple(BETTER)
