"""Opening trained models, and the frozen backbones that they need."""
