"""Weights of CLIP that others publish: OpenAI's files, and repositories of the Hugging Face hub."""
