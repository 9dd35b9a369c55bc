"""What clinics send, verified, logged, merged and handed on to the clinics that are entitled to it."""
