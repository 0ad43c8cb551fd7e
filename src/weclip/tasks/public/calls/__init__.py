"""What every function of a command has: its arguments, its log, perhaps a bar."""
