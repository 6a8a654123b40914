"""Vector tiles (MVT 2.1) of changes, patches and events, made from the columns."""
