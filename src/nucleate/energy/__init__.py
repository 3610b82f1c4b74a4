"""What every energy model gives: batches, evaluations and their level of theory."""
