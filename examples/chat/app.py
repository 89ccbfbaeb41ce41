"""A chat of two people: each writes at a desk of their own, and the Flow puts down what was said, in order."""

import lightning_grpc as L
from lightning_grpc.structures import Dict


class Desk(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.lines = []  # what was said here so far; a client writes it
        self.heard = 0

    def run(self):
        pass


class Chat(L.LightningFlow):
    def __init__(self, *names):
        super().__init__()
        self.desks = Dict(**{name: Desk() for name in names})
        self.conversation = []

    def run(self):
        for name, desk in self.desks.items():
            for text in desk.lines[desk.heard :]:
                desk.heard += 1
                self.conversation.append([name, text])
                print(f"{name}: {text}")
        gone = {name for name, text in self.conversation if text == "Bye."}
        if gone == set(self.desks):
            self.stop("Both have left.")


app = L.LightningApp(Chat("ada", "grace"))
