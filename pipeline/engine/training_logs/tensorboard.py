"""Event files for TensorBoard: `tensorboard --logdir logs/tensorboard`. A scalar per number, by epoch.

The two modules of `tensorboard` that torch's own SummaryWriter stands on, which would bring all of torch into
the process that only watches.
"""

import time
from collections.abc import Mapping

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from pipeline.engine.training_logs.curves import Curve


class Writer:
    """One event file more in the curve's folder; all of them are one curve."""

    def __init__(self, curve: Curve, first: int) -> None:
        self.file = EventFileWriter(str(curve.folder))
        # What an earlier file has from there on, a killed run did not note: TensorBoard drops it.
        start = SessionLog(status=SessionLog.START)
        self.file.add_event(Event(wall_time=time.time(), step=first, session_log=start))

    def write(self, epoch: int, numbers: Mapping[str, float]) -> None:
        values = [Summary.Value(tag=name, simple_value=number) for name, number in numbers.items()]
        self.file.add_event(Event(wall_time=time.time(), step=epoch, summary=Summary(value=values)))
        self.file.flush()

    def close(self) -> None:
        self.file.close()
