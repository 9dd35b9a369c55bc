"""What central admins see: clinics, what was synced of each patient, conflicts, the audit trail, whether chains verify."""
