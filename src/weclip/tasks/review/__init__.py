"""`weclip review`: what is opened, and the page that shows it."""
