"""What an archive says held against labels, peers, planted changes and chance."""
