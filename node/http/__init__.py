"""The edge of the web: page shell, assets, problems, generic routes. Knows no slice and no store."""
