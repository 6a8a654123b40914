"""Chips to embeddings: the protocol, the models, the streaming runner."""
