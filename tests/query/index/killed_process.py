"""Begin to write an index of the archive named, and be killed in the middle."""

import os
import signal
import sys

from terradrift.query.index import files, flat
from terradrift.query.index.covered import covered
from terradrift.store.tables import Store


def die(_done: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


store = Store.open(sys.argv[1])
dataset = store.dataset(sys.argv[2])
now = covered(dataset)
path = files.flat(store.root, sys.argv[2], "delta", now.digest)
flat.write(path, dataset, now, "delta", die)
