"""Questions of visitors in SQL: each in a process of its own that waited for it."""
