"""Evaluation: scores against labels, protocols with planted truth, and how they are shown."""
