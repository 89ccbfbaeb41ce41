"""Takes part in the chat: says what you type, and shows what the others say. Ends after "Bye."."""

import sys
import threading

import lightning_grpc as L


def listen(me, is_listening):
    """Print what the others say, from now on."""
    shown = None
    try:
        with L.AppClient() as app:
            for change in app.watch():
                conversation = change.state["vars"]["conversation"]
                for name, text in conversation[len(conversation) if shown is None else shown :]:
                    if name != me:
                        print(f"{name}: {text}", flush=True)
                shown = len(conversation)
                is_listening.set()
    finally:
        is_listening.set()  # or will not be


def talk(me):
    """Say what is typed, line by line."""
    with L.AppClient() as app:
        lines = app.state["structures"]["desks"]["flows"][me]["vars"]["lines"]
        for text in map(str.strip, sys.stdin):
            lines.append(text)
            app.update(f"root.desks.{me}.lines", lines)
            if text == "Bye.":
                return


if __name__ == "__main__":
    name = sys.argv[1]
    is_listening = threading.Event()
    threading.Thread(target=listen, args=(name, is_listening), daemon=True).start()
    is_listening.wait(30)  # who speaks before he listens misses what is answered
    talk(name)
