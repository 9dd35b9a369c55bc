"""The encrypted store: keys, connection, the one writer, the write door, readers. Knows no slice and no web."""
