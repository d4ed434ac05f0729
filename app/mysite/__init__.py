"""The site: settings, addresses, health and logs."""
