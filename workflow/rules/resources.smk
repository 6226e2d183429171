# What jobs ask for, in a study and in its downloads.


def growing(amount):
    """A resource of which a job asks for as much again with every attempt (retries of a cluster's profile)."""
    return lambda wildcards, attempt: amount * attempt
