"""A model as ONNX: read, checked and run without PyTorch."""
