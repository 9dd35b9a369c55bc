"""The link to the cloud: enrolling with it, exchanging with it when it is there, and saying how that stands."""
