"""Where records come from and outputs go: files and topics, as both engines use them."""
