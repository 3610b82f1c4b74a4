"""What people see of a map: rows, the live table, figures, files and the page."""
