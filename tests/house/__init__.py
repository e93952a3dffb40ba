"""The rules of the house as tests: what every file, table, template and setting must keep to."""
