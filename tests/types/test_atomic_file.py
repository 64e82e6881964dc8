from __future__ import annotations

from pathlib import Path

import pytest

from codex_api.types.atomic_file import write_atomically


def test_the_file_is_written_and_its_path_given(tmp_path: Path) -> None:
    target = tmp_path / "a.json"

    assert write_atomically(target, b"one") == target
    write_atomically(str(target), b"two")

    assert target.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [target]


def test_a_private_file_is_for_its_owner_only(tmp_path: Path) -> None:
    target = write_atomically(tmp_path / "a", b"", private=True)

    assert target.stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = write_atomically(tmp_path / "a", b"old")

    def refuse(self: Path, _target: object) -> None:
        message = f"{self} stays"
        raise PermissionError(message)

    monkeypatch.setattr(Path, "replace", refuse)

    with pytest.raises(PermissionError):
        write_atomically(target, b"new")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "no" / "a", b"")
