"""Previews of a film: a few frames before and after, as pictures and as one page to look at in a browser."""
