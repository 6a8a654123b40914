"""Networks that no library gives as the official code has them."""
