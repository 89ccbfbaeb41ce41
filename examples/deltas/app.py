"""Every delta of the app's state, printed in DeepDiff's form; and a copy of that state that lives on deltas alone."""

from time import sleep

from deepdiff import Delta

import lightning_grpc as L


class Trainer(L.LightningWork):
    def __init__(self):
        super().__init__(parallel=True)
        self.counter = 0
        self.losses = []
        self.options = {"rate": 0.1}
        self.best = None

    def run(self):
        for step in range(1, 4):
            self.counter += 1
            self.losses.append(1 / step)
            sleep(0.1)  # without it, the three steps may travel as one delta
        self.options["patience"] = 2
        del self.options["rate"]
        self.best = "step 3"


class Flow(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.trainer = Trainer()

    def run(self):
        self.trainer.run()
        if self.trainer.has_succeeded:
            self.stop()


class Copy:
    """A copy of an app's state, made once and kept up to date by the app's deltas."""

    def __init__(self, app):
        self.state = app.state
        self.deltas = 0
        app.add_delta_listener(self.take)

    def take(self, delta):
        print(delta)
        self.deltas += 1
        self.state += Delta(delta, raise_errors=True)


app = L.LightningApp(Flow())

if __name__ == "__main__":
    copy = Copy(app)
    app.run()
    verdict = "equals" if copy.state == app.state else "differs from"
    print(f"The copy, made of {copy.deltas} deltas, {verdict} the app's state.")
