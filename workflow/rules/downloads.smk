# Files of the data set from elsewhere. Not part of a study's own workflow: see workflow/download.smk.
#   inputs:  addresses, through the storage plugins http and zenodo.
#   outputs: a file or a folder under each path of dataset.downloads, and a note that it was checked.

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

SCRIPTS = Path(
    os.path.relpath(
        Path(workflow.current_basedir.get_path_or_uri(secret_free=False)).parents[1]
        / "scripts"
    )
)
sys.path.insert(0, str(SCRIPTS.resolve()))
from podura.configuration.downloads import downloads
from podura.errors import UserError
from podura.jobs import prefer_this_python
from podura.provenance import code_digest

prefer_this_python()

try:
    DOWNLOADS = downloads(config)
except UserError as error:
    raise WorkflowError(f"These downloads cannot be had:\n{error}") from None

# A note on what is gone again is worth nothing.
for name, one in DOWNLOADS.items():
    if not one.path.exists():
        Path(f".snakemake/downloads/{name}.json").unlink(missing_ok=True)


wildcard_constraints:
    download="|".join(DOWNLOADS) or "(?!)",


storage http:
    provider="http",


# It asks for a token even to read, so it is only there for records that need one.
if any(one.url.startswith("zenodo://") for one in DOWNLOADS.values()):

    storage zenodo:
        provider="zenodo",


# The file behind each address, which a storage plugin brings.
ADDRESSES = {}
for name, one in DOWNLOADS.items():
    provider = storage.zenodo if one.url.startswith("zenodo://") else storage.http
    ADDRESSES[name] = provider(one.url)


rule download:
    input:
        lambda wildcards: ADDRESSES[wildcards.download],
    output:
        ".snakemake/downloads/{download}.json",
    log:
        "logs/downloads/{download}.log",
    benchmark:
        "benchmarks/downloads/{download}.jsonl"
    retries: 2
    localrule: True
    conda:
        "../../envs/weights.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(12 * 60),
    params:
        script=str(SCRIPTS / "download.py"),
        code=code_digest(SCRIPTS / "download.py"),
        path=lambda wildcards: DOWNLOADS[wildcards.download].path,
        sha256=lambda wildcards: DOWNLOADS[wildcards.download].sha256,
        unpack=lambda wildcards: (
            "--unpack" if DOWNLOADS[wildcards.download].unpack else ""
        ),
        most_gb=lambda wildcards: DOWNLOADS[wildcards.download].most_gb,
    shell:
        "python {params.script} --file {input:q} --path {params.path:q} --sha256 {params.sha256} "
        "{params.unpack} --most-gb {params.most_gb} --output {output:q} --log {log:q}"
