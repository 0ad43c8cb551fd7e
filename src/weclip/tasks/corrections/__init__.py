"""What a person corrected, in training and labelling; and masks from other tools."""
