"""The eleven compounds: experiments on equal core time, their report, and baselines."""
