"""Weights that others publish: files of OpenAI and Meta, and repositories of the hub."""
