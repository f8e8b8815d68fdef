"""A snapshot as it lies on disk: manifest, digests over it, sums, seals. Rows are read elsewhere."""

import base64
import hashlib
import json
import re
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from judge.cells import BLOB, INTEGER, NULL_CELL, RAW_TEXT, TEXT, Cell, Row, Term, real_cell
from judge.database import SchemaRow
from judge.findings import Findings

SNAPSHOT_KEY = b"parklite.snapshot"
FILE_TAG, SEAL_TAG = b"PARKLIT1", b"PARKSEAL"
SHA256_SIZE = 32
_OWN_DIGEST = re.compile(rb'"manifest_sha256": "([0-9a-f]{64})"')
# The last one is empty where it was never set.
_HEADER_FIELDS = [
    "user_version",
    "application_id",
    "encoding",
    "page_size",
    "auto_vacuum",
    "journal_mode",
    "default_cache_size",
]
_CLASS_TAGS = {"integer": INTEGER, "text": TEXT, "rawtext": RAW_TEXT, "blob": BLOB}


@dataclass(frozen=True)
class ParquetColumn:
    """One Parquet column: its name, the class it holds, and whose it is."""

    name: str
    # The kind of Parquet column: integer, real, text or blob.
    kind: str
    # The position among the stored columns; None for the rowid.
    position: int | None
    # The class of the companion's cells; None for a main column.
    companion: str | None


class TableEntry:
    """What the manifest says of one table."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.name: bytes = text_bytes(document["name"])
        self.label = self.name.decode(errors="replace")
        self.columns: list[dict[str, Any]] = document["columns"]
        self.mapping: list[dict[str, Any]] = document["mapping"]["columns"]
        self.rowid_column: str | None = document["mapping"].get("rowid_column")
        self.files: list[dict[str, Any]] = document.get("files", [])
        self.has_rowid = not document.get("without_rowid_key")
        self.rowid_alias: int | None = document.get("rowid_alias")

    def position(self, column: int) -> int:
        """The position among the stored columns of the column at this index in declaration order."""
        return [mapped["column"] for mapped in self.mapping].index(column)

    def alias_position(self) -> int | None:
        """The position of the column that is the rowid."""
        return None if self.rowid_alias is None else self.position(self.rowid_alias)

    def terms(self) -> list[Term]:
        """The declared total order."""
        return [
            (None if term["column"] is None else self.position(term["column"]), term.get("descending", False))
            for term in self.document["order"]["terms"]
        ]

    def parquet_columns(self) -> list[ParquetColumn]:
        """The Parquet columns in file order: the rowid, then each main column and its companions."""
        columns = []
        if self.rowid_column is not None:
            columns.append(ParquetColumn(self.rowid_column, "integer", None, None))
        for position, mapped in enumerate(self.mapping):
            columns.append(ParquetColumn(mapped["name"], mapped["main"], position, None))
            for companion in mapped.get("companions", []):
                kind = "blob" if companion["class"] == "rawtext" else companion["class"]
                columns.append(ParquetColumn(companion["name"], kind, position, companion["class"]))
        return columns

    def inline_rows(self) -> list[Row]:
        """The rows that stand in the manifest itself."""
        return [
            (None if row["rowid"] is None else int(row["rowid"]), tuple(map(_inline_cell, row["cells"])))
            for row in self.document.get("inline_rows", [])
        ]


def _inline_cell(cell: Any) -> Cell:
    if cell == "null":
        return NULL_CELL
    ((kind, value),) = cell.items()
    if kind == "integer":
        return (INTEGER, int(value))
    if kind == "real":
        return real_cell(_double_of(value))
    if kind == "text":
        return (TEXT, value.encode())
    return (_CLASS_TAGS[kind], base64.b64decode(value, validate=True))


def _double_of(digits: str) -> float:
    value: float = struct.unpack(">d", bytes.fromhex(digits))[0]
    return value


class Snapshot:
    """A snapshot: a folder with a manifest, or one Parquet file that carries its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.is_folder = path.is_dir()
        if self.is_folder:
            self.text = (path / "manifest.json").read_bytes()
        else:
            self.text = pq.read_metadata(path).metadata[SNAPSHOT_KEY]
        self.manifest: dict[str, Any] = json.loads(self.text)
        self.tables = [TableEntry(document) for document in self.manifest["tables"]]

    def data_path(self, file: dict[str, Any]) -> Path:
        """The path of one of its data files."""
        return self.path / file["path"] if self.is_folder else self.path

    def check(self, findings: Findings) -> None:
        """Checks everything that needs no row: digests of the manifest and schema, files, sums, seals."""
        where = "manifest"
        findings.expect("manifest", where, "format", "parklite snapshot", self.manifest["format"])
        findings.expect("manifest", where, "version", 1, self.manifest["format_version"])
        findings.expect(
            "manifest-digest", where, "own digest", manifest_digest(self.text), self.manifest["manifest_sha256"]
        )
        findings.expect(
            "schema-digest",
            where,
            "schema digest",
            schema_digest(self.manifest["database"], self.schema()),
            self.manifest["schema_digest"],
        )
        for number in _large_numbers(self.manifest):
            findings.add("manifest", where, f"the number {number} is beyond 2^53 and must be a string")
        paths = {self.data_path(file): file for entry in self.tables for file in entry.files}
        for path, file in paths.items():
            if not path.is_file():
                findings.add("files", path.name, "the file is missing")
                continue
            findings.expect("seal", path.name, "seal", computed_seal(path), stored_seal(path))
            if self.is_folder:
                findings.expect("sums", path.name, "size", file["size_bytes"], path.stat().st_size)
                findings.expect("sums", path.name, "SHA-256", file["sha256"], sha256_of(path))
        if self.is_folder:
            self._check_folder({path.name for path in paths}, findings)

    def schema(self) -> list[SchemaRow]:
        """The rows of `sqlite_schema` as the manifest holds them."""
        return [
            SchemaRow(
                row["type"],
                text_bytes(row["name"]),
                text_bytes(row["table_name"]),
                row["has_storage"],
                None if row["sql"] is None else text_bytes(row["sql"]),
            )
            for row in self.manifest["schema"]
        ]

    def _check_folder(self, data_files: set[str], findings: Findings) -> None:
        present = {path.name for path in self.path.iterdir()}
        listed = data_files | {"manifest.json", "views.sql"}
        findings.expect("files", "folder", "files", sorted(listed | {"SHA256SUMS"}), sorted(present))
        sums = {}
        for line in (self.path / "SHA256SUMS").read_text().splitlines():
            digest, _, name = line.partition("  ")
            sums[name] = digest
        findings.expect("sums", "SHA256SUMS", "names", sorted(listed), sorted(sums))
        for name, digest in sums.items():
            if (self.path / name).is_file():
                findings.expect("sums", "SHA256SUMS", name, digest, sha256_of(self.path / name))
        program = shutil.which("sha256sum")
        if program is None:
            findings.note("sha256sum was not run: there is no such program here")
            return
        ran = subprocess.run([program, "-c", "SHA256SUMS"], cwd=self.path, capture_output=True, text=True)
        if ran.returncode != 0:
            findings.add("sums", "SHA256SUMS", f"sha256sum -c: {ran.stdout}{ran.stderr}")


def text_bytes(text: Any) -> bytes:
    """Text of the manifest: a string, or `{"base64": ...}` where it is not valid."""
    return text.encode() if isinstance(text, str) else base64.b64decode(text["base64"], validate=True)


def manifest_digest(text: bytes) -> str:
    """The SHA-256 of a manifest's raw bytes with its own 64 digits as zeros."""
    found = _OWN_DIGEST.search(text)
    if found is None:
        return "no digest in the manifest"
    return hashlib.sha256(text[: found.start(1)] + b"0" * 64 + text[found.end(1) :]).hexdigest()


def schema_digest(header: dict[str, Any], schema: list[SchemaRow]) -> str:
    """The SHA-256 over header pragmas and `sqlite_schema`, each piece behind its u64 little-endian length."""
    pieces = [" ".join(str(header.get(field, "")) for field in _HEADER_FIELDS).encode()]
    for row in schema:
        storage = bytes([row.has_storage])
        pieces += [row.kind.encode(), row.name, row.table_name, storage, b"\0" if row.sql is None else row.sql]
    hasher = hashlib.sha256()
    for piece in pieces:
        hasher.update(len(piece).to_bytes(8, "little") + piece)
    return hasher.hexdigest()


def seal_place(path: Path) -> int:
    """Where the SHA-256 in a file's seal begins: right before it is the seal's tag, right behind it the footer."""
    with path.open("rb") as file:
        end = max(path.stat().st_size - 8, 0)
        file.seek(end)
        footer_size = int.from_bytes(file.read(4), "little")
    return max(end - footer_size - SHA256_SIZE, 0)


def stored_seal(path: Path) -> str:
    """The SHA-256 in a file's seal."""
    place = seal_place(path)
    with path.open("rb") as file:
        head = file.read(12)
        if place < len(head) + len(SEAL_TAG) or head[4:] != FILE_TAG:
            return "no seal"
        file.seek(place - len(SEAL_TAG))
        seal = file.read(len(SEAL_TAG) + SHA256_SIZE)
    return seal[len(SEAL_TAG) :].hex() if seal.startswith(SEAL_TAG) else "no seal"


def computed_seal(path: Path) -> str:
    """The SHA-256 of the whole file with the seal's 32 bytes taken as zeros."""
    return _hash(path, seal_place(path), SHA256_SIZE)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file."""
    return _hash(path, 0, 0)


def _hash(path: Path, place: int, zeros: int) -> str:
    """The SHA-256 of a file with so many bytes at `place` taken as zeros."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(min(1 << 20, place - file.tell())):
            hasher.update(piece)
        hasher.update(bytes(len(file.read(zeros))))
        while piece := file.read(1 << 20):
            hasher.update(piece)
    return hasher.hexdigest()


def _large_numbers(value: Any) -> list[int]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in _large_numbers(item)]
    if isinstance(value, list):
        return [number for item in value for number in _large_numbers(item)]
    return [value] if isinstance(value, int) and abs(value) > 1 << 53 else []
