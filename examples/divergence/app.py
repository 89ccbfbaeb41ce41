"""What a Flow writes on a running Work stays on the Flow's mirror of it: the two values diverge."""

from time import sleep

import lightning_grpc as L

ROUNDS = 8
LOOKS = 3


class WorkCounter(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.counter = 0
        self.looks = 0

    def run(self):
        while True:
            sleep(0.1)
            print(f"Work {self.counter}")
            self.looks += 1


class Flow(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.w = WorkCounter()

    def run(self):
        self.w.run()
        sleep(0.1)
        print(f"Flow {self.w.counter}")
        self.w.counter += 1
        # The Work's own writes keep arriving, so the Flow knows that the Work has looked at its counter too.
        if self.w.counter >= ROUNDS and self.w.looks >= LOOKS:
            self.stop()


app = L.LightningApp(Flow())
