"""The callable of `dialects/commands/sample.yaml`."""


def do_b(message: str) -> dict:
    """Gives the message back."""
    return {"message": message}
