"""The admins of the cloud: signing in and out, and what they did, written down."""
