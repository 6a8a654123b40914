"""Monitoring of an archive: state that is kept, days that are judged, alerts."""
