"""The site: settings, URLs, health and logs."""
