"""The console: pages for operators, made from the same read model as the admin API."""
