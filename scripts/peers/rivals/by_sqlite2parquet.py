"""sqlite2parquet: all tables in rowid order, since it orders only where every column is given a query of its own."""

import os
import sys

from shared import read_work

work = read_work()
program = sys.argv[2]
os.execv(program, [program, str(work.database), str(work.folder)])
