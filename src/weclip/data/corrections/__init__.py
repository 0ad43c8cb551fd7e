"""What a person corrected: the folder `corrected/`, its format, reading and writing."""
