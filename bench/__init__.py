"""Is the lab as fast as it claims? `make bench` measures, prints, and writes RESULTS.md."""
