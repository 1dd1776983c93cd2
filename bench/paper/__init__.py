"""Figures on paper, from measured parts: what docs/capacity.md says."""
