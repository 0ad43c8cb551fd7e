"""A trained model for users, and what it gives of an image."""
