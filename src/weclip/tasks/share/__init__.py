"""A trained model made ready for others: exported, bundled, pushed to the hub."""
