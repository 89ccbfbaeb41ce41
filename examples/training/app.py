"""A few models that are trained side by side: something to watch with `lightning-grpc dashboard`.

Usage: lightning-grpc run app examples/training/app.py [-- --epochs N --pause-s S]
"""

import argparse
import math
import random
import time

from lightning_grpc import LightningApp, LightningFlow, LightningWork

POINTS = [(x / 100, math.sin(x / 30)) for x in range(-100, 100)]


class Trainer(LightningWork):
    """Fits a polynomial to a sine by gradient descent."""

    def __init__(self, rate, epochs, pause_s):
        super().__init__(parallel=True, raise_exception=False)
        self.rate = rate
        self.epoch = 0
        self.epochs = epochs
        self.loss = 1.0
        self.weights = [0.0] * 4
        self.best = {"epoch": 0, "loss": 1.0}
        self._pause_s = pause_s

    def run(self):
        noise = random.Random(self.rate)
        while self.epoch < self.epochs:
            loss, slopes = evaluate(self.weights)
            self.weights = [weight - self.rate * slope for weight, slope in zip(self.weights, slopes, strict=True)]
            self.loss = loss * (1 + noise.random() / 10)
            self.epoch += 1
            if self.loss < self.best["loss"]:
                self.best["epoch"], self.best["loss"] = self.epoch, self.loss
            if not math.isfinite(loss) or loss > 1e3:
                raise ArithmeticError(f"the loss is {loss:.3g} in epoch {self.epoch}: the rate {self.rate} is too high")
            if self.epoch % 50 == 0:
                print(f"epoch {self.epoch}: loss {self.loss:.4f}")
            time.sleep(self._pause_s)


def evaluate(weights):
    """Return the mean squared error of a polynomial, and its slope for each weight."""
    total, slopes = 0.0, [0.0] * len(weights)
    for x, y in POINTS:
        powers = [x**i for i in range(len(weights))]
        error = sum(weight * power for weight, power in zip(weights, powers, strict=True)) - y
        total += error * error
        for i, power in enumerate(powers):
            slopes[i] += 2 * error * power / len(POINTS)
    return total / len(POINTS), slopes


class Team(LightningFlow):
    """Trainers that differ in how fast they learn."""

    def __init__(self, rates, epochs, pause_s):
        super().__init__()
        self.trainers = [Trainer(rate, epochs, pause_s * (1 + i / 2)) for i, rate in enumerate(rates)]

    def run(self):
        for trainer in self.trainers:
            trainer.run()


class Training(LightningFlow):
    def __init__(self, epochs, pause_s):
        super().__init__()
        self.careful = Team((0.02, 0.05), epochs, pause_s)
        self.bold = Team((0.2, 0.6, 2.5), epochs, pause_s)
        self.best_loss = 1.0
        self.target = 0.02

    def configure_commands(self):
        return [{"aim": self.aim}]

    def aim(self, target: float) -> str:
        """Set the loss at which the training is good enough."""
        self.target = target
        return f"the best loss so far is {self.best_loss:.4f}"

    def run(self):
        self.careful.run()
        self.bold.run()
        trainers = [*self.careful.trainers, *self.bold.trainers]
        self.best_loss = min(self.best_loss, *(trainer.best["loss"] for trainer in trainers))
        if self.schedule("* * * * * */10"):
            print(f"the best loss so far is {self.best_loss:.4f}")
        if all(trainer.has_succeeded or trainer.has_failed for trainer in trainers):
            self.stop(f"All are trained; the best loss is {self.best_loss:.4f}.")


parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=600)
parser.add_argument("--pause-s", type=float, default=0.1)
given = parser.parse_args()

app = LightningApp(Training(given.epochs, given.pause_s))
