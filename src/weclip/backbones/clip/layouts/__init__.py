"""Names and shapes in a CLIP's weight file, brought to the OpenAI layout and checked."""
