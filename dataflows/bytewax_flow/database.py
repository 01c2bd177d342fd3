"""Finds any flipped bit that matters in a database of Bytewax.

Bytewax trusts the epoch that it reads, and a wrong one loses windows in silence. SQLite itself protects the frames of
its write-ahead log with checksums, and the pages only by their structure. So there is an index over each column Bytewax
reads: each value stands twice, and SQLite compares both (``integrity_check``). Snapshots have a checksum of their own.
After a clean end the digest of the whole file is kept beside it.

Not found after a kill, since nothing reads it: what is flipped in the unused bytes of a page; and in the last
transaction of the log, which is taken for one that the kill cut short: the state is the one before it, as whole.

Sources: the file format of SQLite (https://www.sqlite.org/fileformat2.html), the migrations of Bytewax 0.21.1.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from functools import cache
from hashlib import file_digest
from pathlib import Path
from struct import Struct
from tempfile import TemporaryDirectory
from typing import Final

from bytewax.recovery import init_db_dir

from dataflows.bytewax_flow.failure import disk_error, without_panics
from runtime.written_files import write_whole
from window_core import SnapshotError

__all__ = ["checked_database", "make_database", "remove_database", "seal_database", "sync_folder", "writable_database"]

_DATABASE: Final = "part-0.sqlite3"
"""The one that Bytewax makes where it is asked for one partition, which is enough for every worker of one process."""

_DIGEST_FILE: Final = "part-0.sha256"
"""The file with the digest of the database; it exists while no run has the database open."""

_INDEXES: Final = """
    CREATE INDEX latecomer_parts ON parts (part_count, created_at);
    CREATE INDEX latecomer_exs ON exs (worker_count, resume_epoch, created_at);
    CREATE INDEX latecomer_fronts ON fronts (worker_frontier, created_at);
    CREATE INDEX latecomer_commits ON commits (commit_epoch, created_at);
    CREATE INDEX latecomer_snaps ON snaps (length(ser_change), created_at);
    CREATE INDEX latecomer_forgotten ON snaps (snap_epoch) WHERE ser_change IS NULL;
    CREATE TRIGGER latecomer_forget AFTER UPDATE ON commits BEGIN
        DELETE FROM snaps WHERE rowid IN (
            SELECT dead.rowid FROM snaps AS gone INDEXED BY latecomer_forgotten
            JOIN snaps AS dead USING (step_id, state_key)
            WHERE gone.ser_change IS NULL AND gone.snap_epoch <= new.commit_epoch AND dead.snap_epoch <= gone.snap_epoch
        );
    END;
"""
"""Over what no key of Bytewax's holds. An index has the numbers of the rows too, so nothing can change places."""

_FIXED_HEADER: Final = (slice(0, 24), slice(44, 92))
"""What does not change in the first 100 bytes: all but counters of changes and pages."""

_LOG_HEADER: Final = Struct(">8I")
_LOG_FRAME: Final = Struct(">6I")
_LITTLE_ENDIAN_SUMS: Final = 0x377F0682


def make_database(folder: Path) -> None:
    """Create the database of a new state; a database that an interrupted start left is created again."""
    remove_database(folder)
    try:
        with without_panics():
            init_db_dir(folder, 1)
        with closing(sqlite3.connect(folder / _DATABASE)) as connection:
            connection.executescript(_INDEXES)
    except BaseException as error:  # a panic is no Exception
        raise disk_error(error, folder) or error from None


def remove_database(folder: Path) -> None:
    """Remove the database that is directly in a folder, if there is one."""
    for file in folder.glob(Path(_DATABASE).stem + ".*"):
        file.unlink()


@contextmanager
def writable_database(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database that was just made, for one transaction: a death in it leaves none of its rows."""
    try:
        with closing(sqlite3.connect(folder / _DATABASE)) as connection, connection:
            yield connection
    except sqlite3.Error as error:
        raise disk_error(error, folder) or error from None


def seal_database(folder: Path) -> None:
    """Store the digest of a closed database, so that each of its bytes can be checked, read or not."""
    if not (folder / (_DATABASE + "-wal")).exists():
        write_whole(folder / _DIGEST_FILE, _digest(folder / _DATABASE).encode())


@contextmanager
def checked_database(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database of a state, checked as a whole before it is used. It is no longer sealed afterwards.

    Raises:
        SnapshotError: it is damaged, or is not what ``make_database`` makes.
    """
    database = folder / _DATABASE
    try:
        _check_files(folder, database)
        with closing(sqlite3.connect(database.resolve().as_uri() + "?mode=rw", uri=True)) as connection:
            [found] = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if found != "ok":
                raise SnapshotError(found)
            header, schema = _as_made()
            if _header(database) != header or not schema <= _schema(connection):
                raise SnapshotError("its header or its tables are not those that were made")
            yield connection
    except (SnapshotError, sqlite3.DatabaseError) as error:
        if (failed := disk_error(error, folder)) is not None:
            raise failed from None
        raise SnapshotError(f"--state {folder} is damaged: {_DATABASE}: {error}") from None
    (folder / _DIGEST_FILE).unlink(missing_ok=True)
    sync_folder(folder)  # else a power cut could bring the digest back, and keep what was written since


def _check_files(folder: Path, database: Path) -> None:
    """Check what can be checked without SQLite."""
    for path in folder.glob("*.sqlite3"):  # Bytewax opens whatever is called so
        if path != database:
            raise SnapshotError(f"{path.name} is not a file of the state")
    if not database.is_file():
        raise SnapshotError("it is missing")
    digest = folder / _DIGEST_FILE
    if digest.exists() and digest.read_bytes() != _digest(database).encode():
        raise SnapshotError("it has changed since the last run")
    # Another reader, such as a browser of SQLite, takes the log in and removes it when it is the last to close.
    with suppress(FileNotFoundError):
        _check_log((folder / (_DATABASE + "-wal")).read_bytes())


def _check_log(data: bytes) -> None:
    """See that a log which a killed run left breaks off in its last transaction, if at all.

    SQLite reads it up to the first frame whose checksum fails, and says nothing: older pages would come back.
    """
    if len(data) < _LOG_HEADER.size:
        return
    magic, _, page_bytes, _, *salts, sum_1, sum_2 = _LOG_HEADER.unpack_from(data)
    words = Struct("<2I" if magic == _LITTLE_ENDIAN_SUMS else ">2I")
    sums = _sums(words, (0, 0), data[: _LOG_HEADER.size - 8])
    if sums != (sum_1, sum_2):
        raise SnapshotError("the header of its log does not match its checksum")
    unread: list[int] = []  # of each frame from the first that SQLite does not read: whether a transaction ends there
    for at in range(_LOG_HEADER.size, len(data) - _LOG_FRAME.size - page_bytes + 1, _LOG_FRAME.size + page_bytes):
        _, ends_transaction, *frame_salts, sum_1, sum_2 = _LOG_FRAME.unpack_from(data, at)
        if not unread:
            page_at = at + _LOG_FRAME.size
            sums = _sums(words, _sums(words, sums, data[at : at + 8]), data[page_at : page_at + page_bytes])
            if frame_salts != salts or sums != (sum_1, sum_2):
                unread.append(ends_transaction)
        elif frame_salts == salts:  # else it is left from before the log began anew
            unread.append(ends_transaction)
    if any(unread[:-1]):
        raise SnapshotError("its log is broken before its last transaction")


def _sums(words: Struct, sums: tuple[int, int], data: bytes) -> tuple[int, int]:
    """The checksums of SQLite's log, carried on over more data."""
    sum_1, sum_2 = sums
    for word_1, word_2 in words.iter_unpack(data):
        sum_1 = (sum_1 + word_1 + sum_2) & 0xFFFFFFFF
        sum_2 = (sum_2 + word_2 + sum_1) & 0xFFFFFFFF
    return sum_1, sum_2


@cache
def _as_made() -> tuple[list[bytes], set[tuple[object, ...]]]:
    """The header and the schema of a new database."""
    with TemporaryDirectory() as folder:
        make_database(Path(folder))
        database = Path(folder) / _DATABASE
        with closing(sqlite3.connect(database)) as connection:
            return _header(database), _schema(connection)


def _header(database: Path) -> list[bytes]:
    with database.open("rb") as file:
        data = file.read(100)
    return [data[part] for part in _FIXED_HEADER]


def _schema(connection: sqlite3.Connection) -> set[tuple[object, ...]]:
    return set(connection.execute("SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master"))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Have the names in a folder outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
