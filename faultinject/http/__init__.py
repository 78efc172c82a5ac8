"""HTTP itself, for all vendors: request targets, methods, dates, heads and chunks, patterns of paths."""

from faultinject.faces import face

__getattr__, __all__ = face(
    __name__,
    Framing="wire",
    Head="wire",
    can_be_written="wire",
    check_pattern="patterns",
    compile_path="patterns",
    compile_plain="patterns",
    has_no_body="wire",
    late_start="wire",
    length_of="wire",
    literal_prefix="patterns",
)
