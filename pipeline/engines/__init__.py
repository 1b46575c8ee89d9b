"""What trains and predicts: one protocol, in float32 with torch or in packed bits."""
