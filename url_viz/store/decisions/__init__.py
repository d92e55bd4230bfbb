"""What people decided and answered, as logs that can be undone."""
