"""The lock of a first use does no harm to what else may stand under its name."""

from pathlib import Path

import pytest

from runtime.first_use import one_by_one


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"), one_by_one(tmp_path / "lock"):
        pass
    assert (tmp_path / "precious").read_text() == "kept"


def test_what_the_file_holds_is_kept(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("kept")
    with one_by_one(tmp_path / "lock"):
        pass
    assert (tmp_path / "lock").read_text() == "kept"
