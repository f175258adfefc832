"""The ways a step ends other than well."""


class UserError(Exception):
    """A mistake the user can mend: says what was found, where, what is allowed and what to do."""


class Refused(Exception):
    """A rule said no: names the rule and why; nothing was changed."""
