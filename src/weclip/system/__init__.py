"""What every room stands on: files, processes, errors, exit codes."""
