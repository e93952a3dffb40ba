"""Getting back in."""
