"""The log and its rows on the two databases that Nadi uses. Knows SQL, no rule and no transport."""
