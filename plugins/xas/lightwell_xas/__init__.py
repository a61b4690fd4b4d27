"""X-ray absorption spectroscopy: a plugin that loads and offers nothing yet."""
