"""What every test gets: a processor-only jax, a home of its own, and honest skips."""

import ctypes
import gc
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, NoReturn

import pytest
from mongod_server import Mongod, mongod_program

ROOT = Path(__file__).parents[1]
# For type checkers to read: half of it raises when imported for its doctests.
collect_ignore_glob = ["typing/must_*.py"]
IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
# What pip prints where there is no network, as against a package that cannot be resolved.
OFFLINE = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "ProxyError",
    "Temporary failure in name resolution",
    "Network is unreachable",
)

# Before anything imports jax. NPROC and the threads of BLAS are left alone on purpose: workers must
# pin them themselves, and pinning them here would hide it if they did not.
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"


def pytest_configure(config: pytest.Config) -> None:
    """Give doctests of the source folders, which see no fixture of ours, a home to write to."""
    home = Path(tempfile.mkdtemp(prefix="lightwell-tests-"))
    os.environ["LIGHTWELL_HOME"] = str(home)
    config.add_cleanup(lambda: shutil.rmtree(home, ignore_errors=True))


@pytest.fixture(autouse=True, scope="module")
def memory_given_back() -> Iterator[None]:
    """Forget after every module what was compiled in it: hundreds of programs are gigabytes.

    They would count as this process's own memory, which jobs get only the rest of.
    """
    yield
    if jax := sys.modules.get("jax"):
        jax.clear_caches()
        gc.collect()
        if sys.platform == "linux":
            ctypes.CDLL(None).malloc_trim(0)


@pytest.fixture(autouse=True)
def lightwell_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test away from the home of whoever runs it, and from its neighbours'."""
    home = tmp_path / "lightwell-home"
    monkeypatch.setenv("LIGHTWELL_HOME", str(home))
    return home


def missing(what: str) -> NoReturn:
    """Skip on a laptop, fail in CI."""
    if IN_CI:
        pytest.fail(f"{what}, and CI must not skip it", pytrace=False)
    pytest.skip(what)


@pytest.fixture(scope="session")
def leave() -> Callable[[str], NoReturn]:
    """What a test calls with the reason why it cannot be run here; CI takes none."""
    return missing


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real scans: LIGHTWELL_DATA, or shared/data beside the clone."""
    folder = Path(os.environ.get("LIGHTWELL_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        missing("no real data: set LIGHTWELL_DATA, or put it into ../shared/data")
    return folder


@pytest.fixture(scope="session")
def soak_share() -> float:
    """Return which share of the full fault campaign to run: 1.0 in `make soak`."""
    return float(os.environ.get("LIGHTWELL_SOAK") or (0.1 if IN_CI else 0.02))


@pytest.fixture(scope="session")
def require() -> Callable[[str], ModuleType]:
    """Import what a laptop may lack: ``finufft = require("finufft")``."""

    def import_or_leave(name: str) -> ModuleType:
        if importlib.util.find_spec(name.split(".")[0]) is None:
            missing(f"{name} is not installed")
        return importlib.import_module(name)

    return import_or_leave


@pytest.fixture(scope="session")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """Start a MongoDB server of its own, which has no transactions."""
    server = _started(tmp_path_factory, replica_set=False)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mongod_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """Start a MongoDB replica set of one, which has transactions."""
    server = _started(tmp_path_factory, replica_set=True)
    yield server
    server.stop()


def _started(factory: pytest.TempPathFactory, *, replica_set: bool) -> Mongod:
    program = mongod_program()
    if program is None:
        missing("no MongoDB server: its package is installed on Linux x86_64 alone")
    return Mongod(program, factory.mktemp("mongod"), replica_set=replica_set)


class Environment(NamedTuple):
    """A virtual environment that holds the built wheel, its dependencies and nothing else."""

    folder: Path

    @property
    def python(self) -> Path:
        """The interpreter inside."""
        return self.folder / "bin" / "python"

    def pip(self, *arguments: str | Path) -> str:
        """Run pip inside; without a network the test is skipped, or fails in CI."""
        command = ["-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
        done = self.run(self.python, *command)
        if done.returncode == 0:
            return done.stdout
        if any(sign in done.stdout + done.stderr for sign in OFFLINE):
            missing("pip finds no network")
        pytest.fail(f"pip {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}")

    def lightwell(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run the installed command."""
        return self.run(self.folder / "bin" / "lightwell", *arguments)

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program away from the source, so that nothing is imported from there."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL"))}
        return subprocess.run(
            [str(part) for part in command],
            cwd=self.folder,
            env=inherited,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="session")
def built_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel once for all tests that want it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="session")
def wheel_environment(
    built_wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Environment]:
    """Install the wheel into an empty environment; who adds a package removes it again."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    environment = Environment(folder)
    environment.pip("install", "--quiet", built_wheel)
    yield environment
    # Some 700 MB: pytest would keep three of them.
    shutil.rmtree(folder, ignore_errors=True)
