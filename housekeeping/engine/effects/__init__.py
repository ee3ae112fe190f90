"""What follows when rows go: files that they named, hooks that are called, and signals that are sent."""
