"""From configuration to parts; the only room that sees both configuration and classes."""
