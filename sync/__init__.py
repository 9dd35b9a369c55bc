"""One append-only log per replica, and the rows that are a fold of it. Knows no clinic."""
