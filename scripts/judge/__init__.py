"""Independent judges of parklite's snapshots, in another language and through other people's readers.

Nothing in here imports parklite or calls it, except that the self-test runs the program as a subprocess to get
a snapshot to damage. Every rule is written a second time from DESIGN.md: a mistake would have to be made twice,
in two languages, to pass unseen.
"""
