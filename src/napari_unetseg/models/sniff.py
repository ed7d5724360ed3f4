"""What a file really is, told from its first bytes: for the message when it is no model file."""

from __future__ import annotations

import io
import zipfile

_CODE = "holds code, not weights; export it as .safetensors with the program that made it"
_IMAGE = "is an image, not a model; give the .safetensors file"

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n", f"PNG file: {_IMAGE}"),
    (b"\xff\xd8\xff", f"JPEG file: {_IMAGE}"),
    (b"GIF8", f"GIF file: {_IMAGE}"),
    (b"II*\x00", f"TIFF file: {_IMAGE}"),
    (b"MM\x00*", f"TIFF file: {_IMAGE}"),
    (b"II+\x00", f"BigTIFF file: {_IMAGE}"),
    (b"MM\x00+", f"BigTIFF file: {_IMAGE}"),
    (b"\x89HDF\r\n", "HDF5 (Keras or Cellpose?) file: is not read here; export its weights as .safetensors"),
    (b"\x93NUMPY", "NumPy array: is not a model; give the .safetensors file"),
    (b"\x1f\x8b", "gzip archive: unpack it first, then give the .safetensors file"),
    (b"GGUF", "GGUF file: is a language model's format; give a .safetensors file made by this program"),
    (b"version https://git-lfs", "Git LFS pointer: the model itself was not fetched; run 'git lfs pull'"),
    (b"<", "web page or XML text: the download went wrong; download the model again"),
)
_PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))


def describe(data: bytes) -> str:
    """Return 'TYPE: what is wrong with that and what to do' for bytes that are not a safetensors file."""
    if not data[:4096].strip(b"\x00"):
        return "empty file (or zeros only): the copy or download was cut; fetch it again"
    if data.startswith(b"PK\x03\x04"):
        return _describe_zip(data)
    if data[257:262] == b"ustar":
        return f"tar archive (an old PyTorch .pt?): {_CODE}"
    for start, text in _STARTS:
        if data.startswith(start):
            return text
    if data.startswith(_PICKLES):
        return f"Python pickle (an old PyTorch .pt?): {_CODE}"
    return "unknown or damaged file: is not in safetensors format; fetch the model again"


def _describe_zip(data: bytes) -> str:
    """Look at the names in the archive's directory only; nothing is ever unpacked, so a bomb stays folded."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return f"damaged zip archive (a PyTorch .pt cut short?): {_CODE}"
    leaves = {name.rsplit("/", 1)[-1] for name in names}
    if "constants.pkl" in leaves or any("/code/" in name for name in names):
        return f"TorchScript archive: {_CODE}"
    if "data.pkl" in leaves:
        return f"PyTorch checkpoint (.pt): {_CODE}"
    if any(leaf.endswith(".npy") for leaf in leaves):
        return "NumPy .npz archive: is not a model; give the .safetensors file"
    return "zip archive: unpack it first, then give the .safetensors file in it"
