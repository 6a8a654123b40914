"""Before, after and difference of a change as pictures."""
