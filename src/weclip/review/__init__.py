"""The local page where a person corrects tags and masks: what it shows and what it saves."""
