#!/bin/bash
# Print running, success or failed for a job of Grid Engine: status.sh JOB_ID
job=$1
ended=.snakemake/sge_ended/$job

if ! listed=$(qstat -u "$(id -un)" 2>/dev/null); then
    # The master does not answer, or restarts: that costs no job.
    echo running
    exit 0
fi
case $(awk -v job="$job" '$1 == job { print $5; exit }' <<<"$listed") in
    *E*)
        # It could not be started, and would wait for ever.
        qdel "$job" >/dev/null 2>&1
        echo failed
        exit 0
        ;;
    ?*)
        echo running
        exit 0
        ;;
esac

# A shared file system shows the file late; listing its folder makes it look again. A killed job has none.
for _ in 1 2 3 4 5 6; do
    ls .snakemake/sge_ended >/dev/null 2>&1
    if [ -s "$ended" ]; then
        [ "$(cat "$ended")" = 0 ] && echo success || echo failed
        exit 0
    fi
    sleep 5
done
echo failed
