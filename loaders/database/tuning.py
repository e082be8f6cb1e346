"""The embedded server's configuration, worked out from the machine it runs on."""

from __future__ import annotations

import os
from pathlib import Path

_MEGABYTE = 1024 * 1024
_GIGABYTE = 1024 * _MEGABYTE

_HEADER = """\
# Written by Ratehouse at every start. Put your own settings into custom.conf beside this file:
# it is read after this one, so it wins.
#
# wal_level = minimal with max_wal_senders = 0 lets COPY into a table created in the same
# transaction skip the log. The price: no replication and no point-in-time recovery. That is right
# for a demo on one machine and wrong for production: run production on a server of your own
# (RATEHOUSE_DATABASE_URL) with wal_level = replica, archiving and backups. fsync stays on: what is
# committed survives a crash.
"""


def server_settings(port: int, data_directory: Path) -> dict[str, str]:
    """Settings by name. Memory follows the machine (or its control group), disk the free space."""
    memory = available_memory()
    processors = os.cpu_count() or 1
    megabytes = memory // _MEGABYTE
    shared = _between(megabytes // 4, 64, 4096)
    free_disk = _free_bytes(data_directory) // _MEGABYTE
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        # TCP only: a socket folder would have to be writable and short on every machine.
        "unix_socket_directories": "",
        "max_connections": "100",
        "shared_buffers": f"{shared}MB",
        # Every sort or hash of every process may take this: a hundredth of the memory.
        "work_mem": f"{_between(megabytes // 128, 8, 256)}MB",
        "maintenance_work_mem": f"{_between(megabytes // 16, 64, 2048)}MB",
        "effective_cache_size": f"{max(megabytes * 7 // 10, 128)}MB",
        "max_wal_size": f"{_between(free_disk // 20, 512, 8192)}MB",
        "min_wal_size": "256MB",
        "checkpoint_timeout": "15min",
        "checkpoint_completion_target": "0.9",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "wal_compression": "on",
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "jit": "off",  # the programs come without LLVM
        "random_page_cost": "1.1",
        "max_worker_processes": str(max(8, processors + 4)),
        "max_parallel_workers": str(max(2, processors)),
        "max_parallel_workers_per_gather": str(_between(processors, 2, 8)),
        "max_parallel_maintenance_workers": str(_between(processors, 2, 4)),
        "timezone": "UTC",
        "log_timezone": "UTC",
        "lc_messages": "C",
        "log_line_prefix": "%m [%p] %q%u@%d %a ",
        "log_checkpoints": "off",
        "log_lock_waits": "on",
        "password_encryption": "scram-sha-256",
    }
    if _shared_memory_is_small():
        # Containers often have 64 MB of /dev/shm: parallel hash joins would fail.
        settings["dynamic_shared_memory_type"] = "mmap"
    return settings


def configuration_text(settings: dict[str, str]) -> str:
    """The settings as a PostgreSQL configuration file."""
    lines = [f"{name} = '{value}'" for name, value in settings.items()]
    return _HEADER + "\n".join(lines) + "\n"


def available_memory() -> int:
    """Bytes this process may use: the machine's, or its control group's if that is less."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for path in (
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ):
        try:
            limit = Path(path).read_text(encoding="utf-8").strip()
        except OSError:
            continue
        if limit.isdigit():
            memory = min(memory, int(limit))
    return memory


def _shared_memory_is_small() -> bool:
    folder = Path("/dev/shm")
    if not folder.is_dir():
        return False
    facts = os.statvfs(folder)
    return facts.f_blocks * facts.f_frsize < _GIGABYTE


def _free_bytes(path: Path) -> int:
    facts = os.statvfs(path)
    return facts.f_bavail * facts.f_frsize


def _between(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))
