"""The processes that `benchmarks.login` measures with."""
