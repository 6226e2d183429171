#!/bin/bash
# Runs a job's Snakemake on a node. Where storage plugins are installed (Podura's are), the job's command starts with
# an installation of them, "pip install ... && python -m snakemake ...", which the nodes need not repeat on a shared
# file system, and which HTCondor, without a shell, would take for arguments.
while [ $# -gt 2 ] && [ "$2 $3" != "-m snakemake" ]; do
    shift
done
exec "$@"
