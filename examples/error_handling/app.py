"""Works that fail without failing the app: the Flow looks at the reason, goes on with the rest, and tries again."""

import os

from lightning_grpc import LightningApp, LightningFlow, LightningWork

READINGS = {
    "kitchen": "21.5 22.0 21.0",
    "attic": "19.0 n/a 20.0",
    "cellar": "12.0 12.5 13.0",
}


class Mean(LightningWork):
    """Averages readings; a reading that is no number is an exception, unless it is to be skipped."""

    def __init__(self):
        super().__init__(parallel=True, raise_exception=False)
        self.numbers = []
        self.mean = None

    def run(self, text, skip=""):
        self.numbers = []
        for word in text.split():
            if word != skip:
                self.numbers.append(float(word))
        self.mean = sum(self.numbers) / len(self.numbers)


class Crash(LightningWork):
    """Takes its whole process with it."""

    def __init__(self):
        super().__init__(parallel=True, raise_exception=False)

    def run(self):
        os._exit(3)


class Flow(LightningFlow):
    def __init__(self):
        super().__init__()
        self.crash = Crash()
        self.means = {room: Mean() for room in READINGS}
        self.failed = []

    def run(self):
        self.crash.run()
        for room, work in self.means.items():
            if room in self.failed:
                work.run(READINGS[room], skip="n/a")  # other arguments are another call, which is executed
            else:
                work.run(READINGS[room])
                if work.has_failed:
                    self.explain(work)
                    self.failed.append(room)
        if self.crash.has_failed and all(work.has_succeeded for work in self.means.values()):
            self.explain(self.crash)
            for room, work in self.means.items():
                print(f"{room}: {work.mean:.2f} from {len(work.numbers)} readings")
            self.stop()

    def explain(self, work):
        status = work.status
        print(f"{work.name} has failed, reason: {status.reason}")
        print(f"  {status.message.splitlines()[-1]}")
        if isinstance(work, Mean):
            print(f"  what it wrote before is kept: {work.numbers}")


app = LightningApp(Flow())
