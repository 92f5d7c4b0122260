"""The rows of the dashboard, a module each, with `panels()` in the order in which they stand."""
