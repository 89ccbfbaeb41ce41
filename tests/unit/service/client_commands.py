"""Commands with a part on the caller's side."""

from lightning_grpc.utilities.commands import ClientCommand


class Greet(ClientCommand):
    description = "Greet from the client's side."

    def run(self, x: str = "you"):
        return self.invoke_handler(x=x.title())


class NotAtTheTop:
    class Inner(ClientCommand):
        pass
