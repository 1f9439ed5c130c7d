"""The console: pages for people at ``/`` of the admin listener, live and steerable."""
