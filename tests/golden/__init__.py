"""States that released versions have saved: this one has to continue them."""
