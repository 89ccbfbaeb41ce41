"""A Flow with two Works in two languages: JavaScript finds the words of texts, Python says how varied they are."""

import math
import os

import lightning_grpc as L

SEGMENTER = os.environ.get("SEGMENTER", "127.0.0.1:50061")
TEXTS = [
    ("en", "English", "A Work is a service, and a service may be a Work: all it takes is to keep to the protocol."),
    ("ja", "Japanese", "仕事はサービスです。サービスはどの言語で書いてもよいのです。"),
    ("th", "Thai", "งานคือบริการ และบริการจะเขียนด้วยภาษาใดก็ได้"),
]


class Variety(L.LightningWork):
    """Finds out how many bits a word of a text is worth, and which word is the most frequent."""

    def __init__(self):
        super().__init__()
        self.bits = 0.0
        self.favourite = ""

    def run(self, title, counts):
        total = sum(counts.values())
        self.bits = -sum(count / total * math.log2(count / total) for count in counts.values())
        self.favourite = max(counts, key=counts.get)


class Flow(L.LightningFlow):
    """Has the words of each text found by the one Work, and looked at by the other."""

    def __init__(self):
        super().__init__()
        self.segmenter = L.RemoteWork(SEGMENTER)  # runs already, in Node.js; there is no Python class of it
        self.variety = Variety()  # gets a process of its own, as ever
        self.done = 0

    def run(self):
        locale, title, text = TEXTS[self.done]
        self.segmenter.title = title
        self.segmenter.run(text, locale)
        self.variety.run(title, self.segmenter.counts)
        print(
            f"{title}: {self.segmenter.found} words, {self.variety.bits:.2f} bits each; "
            f"most frequent: {self.variety.favourite}"
        )
        self.done += 1
        if self.done == len(TEXTS):
            self.stop()


app = L.LightningApp(Flow())
