"""What measures, and against whom."""
