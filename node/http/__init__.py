"""The edge of node and cloud: problems, pages, generic record routes. Knows no slice and no store; they are handed to it."""
