"""The public functions, with the argument lists of the original clients; each asks the default Connection.

Arguments that only steer what happens elsewhere in the original (Spark jobs, petastorm) are accepted and do nothing.
"""
