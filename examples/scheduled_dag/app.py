"""A DAG of Works that is made anew each time a schedule fires; here that is every second, three times."""

from lightning_grpc import LightningApp, LightningFlow, LightningWork
from lightning_grpc.structures import List

TIMES = 3


class Collect(LightningWork):
    """Collects some readings."""

    def __init__(self):
        super().__init__(parallel=True)
        self.readings = []

    def run(self, first):
        for reading in range(first, first + 5):
            self.readings.append(reading)


class Summarize(LightningWork):
    """Takes the mean of all readings."""

    def __init__(self):
        super().__init__()
        self.mean = 0.0

    def run(self, readings):
        self.mean = sum(readings) / len(readings)


class DAG(LightningFlow):
    """Two Works at the same time, and one behind both."""

    def __init__(self, number):
        super().__init__()
        self.number = number
        self.sources = List(Collect(), Collect())
        self.summary = Summarize()
        self.is_done = False

    def run(self):
        for index, source in enumerate(self.sources):
            source.run(10 * self.number + index)
        if not self.is_done and all(source.has_succeeded for source in self.sources):
            self.summary.run([reading for source in self.sources for reading in source.readings])  # blocks
            print(f"{self.name}: the mean of {2 * len(self.sources[0].readings)} readings is {self.summary.mean}")
            self.is_done = True


class SchedulerDAG(LightningFlow):
    """Makes a DAG when the schedule fires, and runs all there are."""

    def __init__(self):
        super().__init__()
        self.dags = List()

    def run(self):
        if len(self.dags) < TIMES and self.schedule("* * * * * *"):  # six fields: the last one is that of seconds
            self.dags.append(DAG(number=len(self.dags)))
        for dag in self.dags:
            dag.run()
        if len(self.dags) == TIMES and all(dag.is_done for dag in self.dags):
            self.stop(f"{TIMES} DAGs are done.")


app = LightningApp(SchedulerDAG())
