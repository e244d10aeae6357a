"""What a fork server imports first (`pool.context`): from then on it ends with its stage.

Without this, a killed stage leaves server and workers behind: the server waits until no worker holds
its pipe any more, and the workers, which end with the server, wait for it. No stage imports this and
it computes nothing, so dvc.yaml does not name it.
"""

import os

from stages.common.processes import die_with_parent

PID = os.getpid()  # of the server, which a worker that is forked of it compares with its parent
die_with_parent()
