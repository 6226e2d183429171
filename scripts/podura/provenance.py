"""What made a result: digests of code, versions, machine.

Snakemake notices a changed parameter, not a changed library. The digests of code go into rules as
parameters: they follow the content of the code that a rule uses, so that the right jobs run again.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

LIBRARY = Path(__file__).resolve().parent


def code_digest(script: Path, *, extra: Iterable[str] = (), without: Iterable[str] = ()) -> str:
    """Digest of a script and of all Podura modules that it imports, directly or not.

    ``extra`` adds modules that are imported by name at run time; ``without`` leaves out modules or
    whole rooms (``podura.evaluation``) together with what only they import.
    """
    left_out = tuple(without)
    texts = {script.name: script.read_text(encoding="utf-8")}
    waiting = [*_imports(texts[script.name]), *extra]
    while waiting:
        module = waiting.pop()
        if module in texts or any(module == o or module.startswith(f"{o}.") for o in left_out):
            continue
        if (file := _module_file(module)) is None:
            continue
        texts[module] = file.read_text(encoding="utf-8")
        waiting.extend(_imports(texts[module]))
    digest = hashlib.sha256()
    for name in sorted(texts):
        digest.update(f"{name}\0{texts[name]}\0".encode())
    return digest.hexdigest()[:16]


def _module_file(module: str) -> Path | None:
    parts = module.split(".")
    if parts[0] != "podura":
        return None
    # Asked ten thousand times by every start of the workflow, so without Path.
    base = os.path.join(LIBRARY, *parts[1:])  # noqa: PTH118
    for file in (f"{base}.py", f"{base}/__init__.py"):
        if len(parts) > 1 and os.path.isfile(file):  # noqa: PTH113
            return Path(file)
    return None


#: An import statement, over several lines where its names stand in parentheses. A hundredth of the time that
#: a syntax tree takes, in each of thousands of jobs on a cluster.
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(podura[\w.]*)[ \t]+import[ \t]*(\([^)]*\)|[^\n]*)"
    r"|import[ \t]+([^\n]*podura[^\n]*))",
    re.MULTILINE,
)
_COMMENT = re.compile(r"#.*")


@functools.cache
def _imports(text: str) -> tuple[str, ...]:
    """The Podura modules that a source names in import statements, wherever they stand in it."""
    found: dict[str, None] = {}
    for module, names, plain in _IMPORT.findall(_COMMENT.sub("", text) if "podura" in text else ""):
        listed = [name.split()[0] for name in (names or plain).strip("()").split(",") if name.strip()]
        # "from podura.x import y": y may be a module of its own or a name within x.
        for name in [module, *(f"{module}.{name}" for name in listed)] if module else listed:
            parts = name.split(".")
            if parts[0] == "podura":
                found.update((".".join(parts[: n + 1]), None) for n in range(1, len(parts)))
    return tuple(found)


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Installed versions of Python and of the named packages; those not installed are left out."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str]:
    """Describe the machine that runs this process."""
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count() or 1),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def code_version() -> dict[str, str]:
    """Podura's version and, in a git checkout, its commit."""
    import podura

    found = {"podura": podura.__version__}
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=LIBRARY,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
        found["commit"] = done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return found
