"""The machinery: the steps that take a model from data to production."""
