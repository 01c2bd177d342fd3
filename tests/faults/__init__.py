"""What becomes of the outputs of whole runs, whatever is done to them or around them."""
