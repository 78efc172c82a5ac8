"""What Backblaze B2's native API documents about its errors."""
