"""The comparison with rivals: what `scripts/bench_peers` is made of.

    installed   the folder, and the pinned rivals in a virtual environment of its own
    generated   the databases, made from seeds
    cases       which databases are measured, and what is done with them
    tools       parklite's and every rival's command for a piece of work
    measured    one process tree: wall time, CPU, peak memory
    content     exact digests of every cell, of databases and of Parquet files
    judged      whether an output has the content of its source
    self_test   whether the judges of content and of goals find what is wrong
    changed     the wrong Parquet files for it
    rounds      the interleaved runs of one case
    machine     what was measured on
    goals       what must be reached, and whether it is
    report      Markdown and JSON

Everything but `content` of Parquet files and the programs in `rivals/` needs the standard library only. Nothing in
here trusts a tool's own word: an output counts when an independent reader finds every cell of the source in it.
"""
