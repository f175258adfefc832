"""The report on a candidate: written once, as a tree, and rendered as Markdown and as a page."""
