"""Figures: from records, or a tally of them, to a number with its denominator and interval."""
