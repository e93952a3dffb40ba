"""The tests: folders mirror the packages; `support` starts what they run on, `house` holds the repository's rules."""
