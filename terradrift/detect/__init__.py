"""Series to changes: references, scores, onsets, events, kinds."""
