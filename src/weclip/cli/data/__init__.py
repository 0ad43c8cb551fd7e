"""Commands that make what others read: tags files, data sets, regions."""
