"""The journeys of a resident from end to end, in a real browser, against a town that is really served."""
