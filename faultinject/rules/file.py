"""Scenarios from a file."""

from __future__ import annotations

from faultinject.rules.files import read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import PathLike

    from faultinject.rules.diagnosis import Diagnosis
    from faultinject.rules.rule import Rule


def read_file(path: str | PathLike[str], diagnosis: Diagnosis) -> tuple[list[Rule], str | None]:
    """The rules and the seed of a TOML file, or of a JSON file whose name ends in `.json`."""
    where = str(path)
    text = _text(path, where, diagnosis)
    if text is None:
        return [], None
    if where.lower().endswith(".json"):
        from faultinject.rules.json import read_json

        return read_json(text, where, diagnosis)
    from faultinject.rules.toml import read_toml

    return read_toml(text, where, diagnosis)


def _text(path: str | PathLike[str], where: str, diagnosis: Diagnosis) -> str | None:
    data = b""
    try:
        data = read_bytes(path)
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        diagnosis.add(f"not UTF-8: byte 0x{data[error.start]:02x}", f"{where}:{line}")
    except FileNotFoundError:
        diagnosis.add("there is no such file", where)
    except IsADirectoryError:
        diagnosis.add("this is a directory, not a file", where)
    except OSError as error:
        reason = error.strerror or str(error)
        diagnosis.add(f"cannot be read: {reason[:1].lower()}{reason[1:]}", where)
    return None
