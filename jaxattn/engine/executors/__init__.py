"""Where chunks are computed: this process, several, Dask, SLURM, several hosts."""
