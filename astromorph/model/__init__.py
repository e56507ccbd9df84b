"""What one weights file holds."""
