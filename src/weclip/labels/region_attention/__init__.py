"""CLIP's last attention rebuilt from a guide encoder's features inside regions (CorrCLIP)."""
