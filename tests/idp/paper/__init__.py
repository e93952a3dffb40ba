"""Paper: PDF that everybody can read."""
