"""These tests need the built programs and no privileges."""
