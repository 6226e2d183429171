#!/bin/bash
# properties = {properties}
# How the job ended, for status.sh. One that Grid Engine kills says nothing.
ended="$PWD/.snakemake/sge_ended/$JOB_ID"
mkdir -p .snakemake/sge_ended && rm -f "$ended"
trap 'echo $? > "$ended"' EXIT
{exec_job}
