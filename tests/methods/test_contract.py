from tests.methods.contract import MethodContract


class TestContract(MethodContract):
    """The contract, run over every method."""
