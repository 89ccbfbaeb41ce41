"""A Work counts to ten million in its own process; the Flow watches its counter grow."""

import lightning_grpc as L


class WorkCounter(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.counter = 0

    def run(self):
        for _ in range(int(10e6)):
            self.counter += 1


class Flow(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.w = WorkCounter()
        self.millions = 0

    def run(self):
        self.w.run()
        # This runs at every change of the counter that arrives, hundreds of times a second: print once in a million.
        millions = self.w.counter // 1_000_000
        if millions > self.millions:
            self.millions = millions
            print(self.w.counter)
        if self.w.has_succeeded:
            self.stop("The Work has succeeded.")


app = L.LightningApp(Flow())
