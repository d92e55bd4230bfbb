"""How our processes start, are limited and end."""
