"""The closed room that a student's code runs in: bubblewrap's command line, as data.

What is inside: the system and Python, to be read; the lab's package without the grader and without
the judges; an empty home; two files of the room's own, questions to be read and one answer to be
written. What is not: a network, other processes, capabilities, the course, its secret.

Three things are traps, and are met here: a limit on processes doesn't hold for root, so root gives
each room a user number of its own; a limit on address space breaks torch, one on data doesn't; and
folders that bubblewrap makes as root are closed to that other user unless told otherwise.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import itertools
import json
import os
import shutil
import site
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

import cs231n_utils
from cs231n_utils.grading.course import UserError

PACKAGE = Path(cs231n_utils.__file__).resolve().parent
MASKED = ("grading", "exercises/judges")
"""What of the package is not to be seen: it knows the answers, or how marks come about."""

HOME = "/home/student"
ROOMS = "/rooms"
"""Where all rooms are shown to the process that kernels are forked from, and to no kernel."""
SETTING = "CS231N_SANDBOX"
INSTALL = (
    "Grading needs bubblewrap, which keeps students' code away from this machine and from the "
    "marks.\n"
    "Install it: apt install bubblewrap (Debian, Ubuntu), dnf install bubblewrap (Fedora); on a "
    "Mac or\nWindows grade in a Linux container or virtual machine. Where everything handed in is "
    "code that\nyou would run yourself: --sandbox none, or " + SETTING + "=none. Every result says "
    "so then."
)
# Where an own user number can be chosen (as root): above the ones that systems give out.
_FIRST_USER, _USERS = 62_000, 3_000
_numbers = itertools.count(os.getpid() * 7)


class Kind(StrEnum):
    """How a student's kernel is kept apart."""

    BUBBLEWRAP = "bubblewrap"
    NONE = "none"


class SandboxMissingError(UserError):
    """The sandbox that was asked for can't be had on this machine."""


@dataclass(frozen=True)
class Limits:
    """What one kernel may use. Sizes in bytes; files and data are counted for each process."""

    data: int = 2_500_000_000  # torch and a picture's gradients take 0.6 GB
    resident: int = 3_000_000_000  # of all processes together; watched from outside
    processes: int = 120  # threads count too; a kernel that computes has about 20
    files: int = 256
    file_size: int = 64_000_000
    scratch: int = 200_000_000
    cpu_seconds: int = 1_800
    core: int = 0


@dataclass(frozen=True)
class Room:
    """The files that a kernel shares with whoever grades it, in a temporary folder.

    ``inbox`` holds what the kernel may only read, ``sockets`` the kernel's own, ``answer`` is one
    file that it may write and nothing else: it can't be replaced by a link, a pipe or a folder.
    """

    folder: Path
    user: int | None
    limits: Limits = field(default_factory=Limits)

    @property
    def inbox(self) -> Path:
        return self.folder / "in"

    @property
    def sockets(self) -> Path:
        return self.folder / "s"

    @property
    def answer(self) -> Path:
        return self.folder / "answer"


@contextlib.contextmanager
def open_room(kind: Kind, limits: Limits | None = None) -> Iterator[Room]:
    """Make a room's files, and remove them in the end."""
    number = next(_numbers)
    folder = rooms_folder() / str(number)
    own = kind is Kind.BUBBLEWRAP and os.geteuid() == 0
    user = _FIRST_USER + number % _USERS if own else None
    room = Room(folder, user, limits or Limits())
    try:
        folder.mkdir()
        folder.chmod(0o711)
        for path in (room.inbox, room.sockets):
            path.mkdir(mode=0o755)
        room.answer.touch(mode=0o600)
        if user is not None:
            os.chown(room.sockets, user, user)
            os.chown(room.answer, user, user)
        yield room
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_PREFIX, _LOCK = "cs231n-", "in use"
_folders_of: dict[tuple[int, str], tuple[Path, int]] = {}
_making = threading.Lock()


def rooms_folder() -> Path:
    """The temporary folder that holds this process's rooms, made when first asked for.

    A lock that the system lifts when this process ends, however it ends, tells the next grader
    which folders nobody uses any more; it removes them.
    """
    # A socket's path may have 107 characters, and some TMPDIRs are long.
    parent = tempfile.gettempdir() if len(tempfile.gettempdir()) < 60 else "/tmp"
    with _making:  # workers may be threads of one process, and their rooms lie in one folder
        key = os.getpid(), parent
        if key not in _folders_of:
            _remove_unused(Path(parent))
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            folder.chmod(0o711)
            lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.rename(folder / "lock", folder / _LOCK)  # locked, before anybody looks for it
            _folders_of[key] = folder, lock
            atexit.register(remove_rooms_folder, folder, os.getpid())
        return _folders_of[key][0]


def remove_rooms_folder(folder: Path, owner: int) -> None:
    """Remove a process's own folder of rooms; a later room gets a new one."""
    for key, (found, lock) in list(_folders_of.items()):
        if found == folder and owner == os.getpid():
            del _folders_of[key]
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _remove_unused(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if folder.lstat().st_uid == os.geteuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder)
            finally:
                os.close(lock)


# -- the command line ------------------------------------------------------------------------


def bubblewrap(room: Room, command: list[str], hidden: Iterable[Path] = ()) -> list[str]:
    """The command line that runs ``command`` in a room.

    ``hidden`` are folders of the course; they are covered should they lie in what is shown.
    """
    return [
        "bwrap", *_APART, *_privileges(room), *_system(), *_scratch(room.limits.scratch),
        *_python(hidden), *_own(room), *_fonts(), *_last(), *launcher(room.limits, room.user),
        *command,
    ]


def bubblewrap_zygote(rooms: Path, command: list[str], script: Path,
                      hidden: Iterable[Path] = ()) -> list[str]:
    """The command line of the process that kernels are forked from: it sees what a kernel sees.

    Beyond that it sees all ``rooms`` and its own ``script``, and may make namespaces, mounts and
    users within its own; each child gives that up before any student's code is in it.
    """
    return [
        "bwrap", *_APART, *_zygote_privileges(), *_system(), *_scratch(Limits().scratch),
        *_python(hidden), *_folders(rooms), *_folders(ROOMS), "--bind", str(rooms), ROOMS,
        "--ro-bind", str(script), f"/{script.name}", *_fonts(), *_last(), *command,
    ]


_APART = (
    "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
    "--die-with-parent", "--new-session", "--hostname", "lab", "--clearenv",
)


def _privileges(room: Room) -> list[str]:
    if room.user is None:
        return ["--unshare-user", "--disable-userns", "--cap-drop", "ALL"]
    # Just enough for the launcher to become the room's user, which loses these two as well.
    return ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]


def _zygote_privileges() -> list[str]:
    kept = ["SYS_ADMIN", "NET_ADMIN", "SETPCAP"]
    if os.geteuid() == 0:
        kept += ["SETUID", "SETGID"]
    else:  # the mounts must belong to the user namespace that the zygote is in; SETFCAP is
        kept += ["SETFCAP"]  # what Linux asks of whoever maps that one's root further down
    args = [] if os.geteuid() == 0 else ["--unshare-user", "--uid", "0", "--gid", "0"]
    return [*args, "--cap-drop", "ALL",
            *(word for name in kept for word in ("--cap-add", f"CAP_{name}"))]


def _system() -> list[str]:
    """The system's programs and libraries; of /etc only what they need to start."""
    args: list[str] = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            args += ["--symlink", os.readlink(path), str(path)]
        elif path.is_dir():
            args += ["--ro-bind", str(path), str(path)]
    args += _folders("/etc")
    for name in ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "fonts", "alternatives",
                 "localtime", "timezone"):
        args += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    args += ["--proc", "/proc", "--dev", "/dev"]
    return args


def _scratch(size: int) -> list[str]:
    """Empty folders to write to; before all that is shown, which may lie below one of them."""
    args = [*_folders("/home")]
    for path in ("/tmp", HOME, "/dev/shm"):
        args += ["--perms", "1777", "--size", str(size), "--tmpfs", path]
    return args


def _shown() -> list[Path]:
    """Where Python and its packages are, beyond the system's own."""
    shown = [Path(sys.base_prefix), Path(sys.prefix)]
    shown += [Path(site.getusersitepackages())] if site.ENABLE_USER_SITE else []
    return [path for path in dict.fromkeys(shown)
            if path.is_dir() and not path.is_relative_to("/usr")]


def covered(hidden: Iterable[Path]) -> tuple[Path, ...]:
    """Which of these folders lie in what is shown, so that they must be covered."""
    shown = [*_shown(), Path("/usr")]
    return tuple(path for path in hidden if any(path.is_relative_to(over) for over in shown))


def _python(hidden: Iterable[Path]) -> list[str]:
    """Python, its packages, and the lab's own without what is masked."""
    args: list[str] = []
    for path in _shown():
        args += [*_folders(path.parent), "--ro-bind", str(path), str(path)]
    if not any(PACKAGE.is_relative_to(path) for path in [*_shown(), Path("/usr")]):
        args += [*_folders(PACKAGE.parent), "--ro-bind", str(PACKAGE), str(PACKAGE)]
    masked = [PACKAGE / name for name in MASKED if (PACKAGE / name).is_dir()]
    for path in [*masked, *covered(hidden)]:
        args += ["--perms", "0755", "--tmpfs", str(path), "--remount-ro", str(path)]
    return args


def _own(room: Room) -> list[str]:
    """What belongs to this kernel alone."""
    return [*_folders(room.folder), "--ro-bind", str(room.inbox), str(room.inbox),
            "--bind", str(room.sockets), str(room.sockets),
            "--bind", str(room.answer), str(room.answer)]


@functools.cache
def _fonts() -> tuple[str, ...]:
    """Which fonts there are: else matplotlib looks at every one of the system's, for a second."""
    import matplotlib

    args: list[str] = []
    for path in Path(matplotlib.get_cachedir()).glob("fontlist-*.json"):
        args += ["--perms", "1777", "--dir", f"{HOME}/matplotlib", "--ro-bind", str(path),
                 f"{HOME}/matplotlib/{path.name}"]
    return tuple(args)


def _folders(path: str | Path) -> list[str]:
    """Make a folder and all above it, open to every user."""
    parts = [part for part in [*reversed(Path(path).parents), Path(path)] if str(part) != "/"]
    return [word for part in parts for word in ("--perms", "0755", "--dir", str(part))]


def environment(home: str) -> dict[str, str]:
    """All that a kernel gets of an environment."""
    paths = dict.fromkeys([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"])
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    variables = {
        "PATH": os.pathsep.join(paths), "HOME": home, "USER": "student", "LOGNAME": "student",
        "LANG": "C.UTF-8", "TMPDIR": "/tmp", "MPLCONFIGDIR": f"{home}/matplotlib",
        "PYTHONDONTWRITEBYTECODE": "1", **dict.fromkeys(threads, "1"),
    }
    if not any(PACKAGE.is_relative_to(prefix) for prefix in (sys.prefix, sys.base_prefix)):
        variables["PYTHONPATH"] = str(PACKAGE.parent)
    return variables


def _last() -> list[str]:
    """The environment, the working folder, and nothing more to be mounted or written."""
    variables = environment(HOME).items()
    return [*(word for name, value in variables for word in ("--setenv", name, value)),
            "--chdir", HOME, "--remount-ro", "/dev", "--remount-ro", "/", "--"]


_LAUNCHER = """
import json, os, resource, sys
user, limits = json.loads(sys.argv[1])
for name, value in limits.items():
    resource.setrlimit(getattr(resource, name), (value, value))
if user is not None:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
os.execv(sys.argv[2], sys.argv[2:])
"""


def launcher(limits: Limits, user: int | None) -> list[str]:
    """A command's first words: take on the limits and the user, then become the command."""
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, json.dumps([user, rlimits(limits, user)])]


def rlimits(limits: Limits, user: int | None) -> dict[str, int]:
    """The limits as the system names them."""
    processes = limits.processes
    if user is None:  # older kernels count all that this user runs, here and elsewhere
        processes += _threads_of(os.geteuid())
    return {
        "RLIMIT_DATA": limits.data, "RLIMIT_NPROC": processes, "RLIMIT_NOFILE": limits.files,
        "RLIMIT_FSIZE": limits.file_size, "RLIMIT_CPU": limits.cpu_seconds,
        "RLIMIT_CORE": limits.core,
    }


def _threads_of(user: int) -> int:
    """How many threads a user runs."""
    count = 0
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if path.stat().st_uid == user:
                count += len(os.listdir(path / "task"))
    return count


# -- is it to be had? ------------------------------------------------------------------------


@functools.cache
def problem() -> str:
    """Why no sandbox can be had on this machine; "" where one can. Tried once, for real."""
    if sys.platform != "linux":
        return f"bubblewrap needs Linux; this is {sys.platform}."
    if shutil.which("bwrap") is None:
        return "The command bwrap is not installed."
    locked = _locked() if os.geteuid() == 0 else []
    if locked:
        return f"The sandbox's user may not read {locked[0]}: chmod a+r it."
    tried = "import os, sys; sys.exit(os.geteuid() == 0 or os.path.exists(sys.argv[1]))"
    with open_room(Kind.BUBBLEWRAP) as room:
        masked = str(PACKAGE / MASKED[1] / "__init__.py")
        command = bubblewrap(room, [sys.executable, "-I", "-c", tried, masked])
        try:
            done = subprocess.run(command, capture_output=True, timeout=60, check=False,
                                  stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"bwrap does not start: {error}"
    if done.returncode == 0:
        return ""
    said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it gives no reason"]
    return f"bwrap is installed, but no sandbox can be had from it: {said[-1]}"


def _locked() -> list[Path]:
    """The package's files that only their owner may read: root's kernels run as somebody else."""
    return [path for path in sorted(PACKAGE.rglob("*"))
            if path.is_file() and not path.stat().st_mode & stat.S_IROTH
            and not any(path.is_relative_to(PACKAGE / name) for name in MASKED)]


def chosen(setting: str | None) -> Kind:
    """The sandbox that a setting names, or the environment where there is no setting.

    Raises
    ------
    UserError
        If there is no such sandbox.
    """
    named = setting or os.environ.get(SETTING) or Kind.BUBBLEWRAP
    try:
        return Kind(named)
    except ValueError as error:
        kinds = ", ".join(Kind)
        raise UserError(f"There is no sandbox {named!r}; there are: {kinds}.") from error


def require(kind: Kind) -> None:
    """Make sure that a sandbox can be had.

    Raises
    ------
    SandboxMissingError
        If it can't; the message says what to do.
    """
    if kind is Kind.BUBBLEWRAP and problem():
        raise SandboxMissingError(f"{problem()}\n{INSTALL}")


# -- what runs in it -------------------------------------------------------------------------


@dataclass(frozen=True)
class Usage:
    """What a process and all below it use."""

    processes: tuple[int, ...]
    resident: int


def usage(pid: int) -> Usage:
    """The processes below (and with) one, and how much memory they hold, in bytes."""
    pages: dict[int, int] = {}
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        with contextlib.suppress(OSError, ValueError, IndexError):
            pages[each] = int(Path(f"/proc/{each}/statm").read_bytes().split()[1])
            waiting += set(_children(each)) - pages.keys()
    return Usage(tuple(pages), sum(pages.values()) * os.sysconf("SC_PAGE_SIZE"))


def _children(pid: int) -> Iterator[int]:
    """The processes that one has started, as the system lists them for each of its threads.

    So a look costs what a kernel's own processes do, however many others there are. Where the
    system keeps no such list, all processes are asked whose child they are.
    """
    if os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children"):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(FileNotFoundError):
                words = Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split()
                yield from map(int, words)
        return
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int(path.read_bytes().rpartition(b")")[2].split()[1]) == pid:
                yield int(path.parent.name)


def unexpected(room: Room) -> str:
    """What lies in a room's sockets folder that is no socket of a kernel; "" if nothing."""
    with contextlib.suppress(OSError):
        names = os.listdir(room.sockets)
        if len(names) > 12:
            return f"{len(names)} files"
        for name in names:
            if not stat.S_ISSOCK((room.sockets / name).lstat().st_mode):
                return name[:80]
    return ""


def describe(limits: Limits) -> Mapping[str, int]:
    """The limits, for a record."""
    return asdict(limits)
