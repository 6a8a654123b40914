"""Monitoring: each new date judged by what was known before it, patch by patch (pure)."""
