"""The machinery as a whole: which release of it is here, and how another one takes its place."""
