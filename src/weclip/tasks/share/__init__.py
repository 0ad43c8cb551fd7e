"""Models for others: exported, bundled, pushed to the hub."""
