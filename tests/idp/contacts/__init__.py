"""Contact points and how they change."""
