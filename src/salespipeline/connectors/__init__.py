"""Readers of other systems' shapes: parsed data in, typed histories and problems out."""
