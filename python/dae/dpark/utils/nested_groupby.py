"""Names that scripts use of groups whose values were to be gone through once; here a group is a list."""


class GroupByNestedIter:
    # Set by tests of such groups.
    NO_CACHE = False


def list_value(pair):
    return pair[0], list(pair[1])


def list_values(pair):
    return pair[0], tuple(map(list, pair[1]))
