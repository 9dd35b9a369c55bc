"""Who may do what, and with which keys. Pure: knows no store, no request and no slice."""
