"""The report on a candidate: told once, as a tree, and rendered as Markdown and as a page."""
