"""The eleven compounds: experiments on equal core time, their report, and peers to compare with."""
