"""A sweep over hyper-parameters that can be killed at any time and goes on where it was."""

import math
from itertools import product

from lightning_grpc import LightningApp, LightningFlow, LightningWork

RATES = (0.001, 0.01, 0.1, 0.5)
MOMENTA = (0.0, 0.5, 0.9)
EPOCHS = 60
POINTS = [(x / 1000, math.sin(x / 300) + x / 500) for x in range(-1000, 1000)]


class Trainer(LightningWork):
    """Fits a cubic to a curve by gradient descent, and keeps how far it is."""

    def __init__(self):
        super().__init__()
        self.progress = {}
        self.loss = math.inf

    def run(self, rate, momentum):
        progress = {"trial": [rate, momentum], "epoch": 0, "weights": [0.0] * 4, "speeds": [0.0] * 4}
        if self.progress.get("trial") == [rate, momentum]:  # an earlier run of this call was cut off
            progress = self.progress
            print(f"  rate {rate}, momentum {momentum}: goes on after epoch {progress['epoch']}")
        while progress["epoch"] < EPOCHS:
            _, slopes = evaluate(progress["weights"])
            speeds = [momentum * speed - rate * slope for speed, slope in zip(progress["speeds"], slopes, strict=True)]
            weights = [weight + speed for weight, speed in zip(progress["weights"], speeds, strict=True)]
            progress = {**progress, "epoch": progress["epoch"] + 1, "weights": weights, "speeds": speeds}
            self.progress = progress  # in one assignment: a checkpoint has all of it or nothing
        self.loss, _ = evaluate(progress["weights"])


def evaluate(weights):
    """Return the mean squared error of a cubic, and its slope for each weight."""
    total, slopes = 0.0, [0.0] * len(weights)
    for x, y in POINTS:
        powers = [1.0, x, x * x, x * x * x]
        error = sum(weight * power for weight, power in zip(weights, powers, strict=True)) - y
        total += error * error
        for i, power in enumerate(powers):
            slopes[i] += 2 * error * power / len(POINTS)
    return total / len(POINTS), slopes


class Sweep(LightningFlow):
    def __init__(self):
        super().__init__()
        self.trainer = Trainer()
        self.losses = {}

    def run(self):
        for rate, momentum in self.experimental_iterate(list(product(RATES, MOMENTA))):
            self.trainer.run(rate, momentum)  # suspends the Flow until it is done
            self.losses[f"rate {rate}, momentum {momentum}"] = self.trainer.loss
            print(f"rate {rate}, momentum {momentum}: loss {self.trainer.loss:.4f}")
        best = min(self.losses, key=self.losses.get)
        self.stop(f"The best of {len(self.losses)} trials is {best}.")


app = LightningApp(Sweep())
