# Two traits of Snakemake 9.27 and of its plugin for SLURM (2.8) that would cost a study much time.


def remembering(ask):
    """The same question, answered with the last answer where there is none."""
    known = []

    def answer():
        if (found := ask()) is not None:
            known[:] = [found]
        return known[0] if known else None

    return answer


# Before each look at the queue the plugin asks slurmctld how long ended jobs stay there. While slurmctld
# restarts there is no answer, and it goes over to sacct, which fails for good on clusters without accounting:
# the run would wait for jobs that have ended. An answer that was had once therefore stands.
plugin = sys.modules.get("snakemake_executor_plugin_slurm")
if hasattr(plugin, "get_min_job_age"):
    plugin.get_min_job_age = remembering(plugin.get_min_job_age)


def let_the_scheduler_sleep():
    """Take the limit of 100 jobs a second away from a run on this computer, whose cores are limit enough.

    For its sake the scheduler wakes itself once more every second for each job that has ended, as long as any
    waits: after a thousand jobs it would take most of a core.
    """
    limiter = getattr(workflow.scheduler, "job_rate_limiter", None)
    if (
        workflow.local_exec
        and limiter
        and (limiter.max_jobs, limiter.timespan) == (100, 1)
    ):
        workflow.scheduler.job_rate_limiter = None
