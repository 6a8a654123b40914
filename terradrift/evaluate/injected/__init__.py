"""Changes of known size planted into real series: from what size on a method finds them."""
