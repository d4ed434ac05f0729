"""Management of the polls."""
