"""Files from elsewhere are data, never code: what the pipeline's code may not call, and bombs."""

import ast
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from pipeline.common import checksum
from pipeline.common.errors import PipelineError
from pipeline.common.serialization import MAX_BYTES, load_json
from pipeline.common.units import MIB
from pipeline.config.params import Params, load_params
from pipeline.config.paths import DATA
from pipeline.data import dataset, npy
from pipeline.fetch import sources
from pipeline.fetch.store import store
from tests.conftest import ROOT, memory_below, to_idx

FILES = sorted((ROOT / "pipeline").rglob("*.py"))
# What makes objects or code of bytes, here or in a process that is handed pickles.
MODULES = {
    *("pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"),
    *("yaml", "ruamel.yaml.main", "code", "codeop", "runpy", "imp", "xmlrpc", "zipimport"),
    *("multiprocessing", "torch.multiprocessing", "concurrent.futures.process"),
}
# The one module that may start processes that are handed pickles: of its own functions, by a pipe.
PROCESS_MODULE = "pipeline/profiling/fresh_process.py"
PROCESSES = {
    *("multiprocessing", "multiprocessing.get_context", "multiprocessing.connection.Connection"),
}
# The one module that may read YAML, and what it calls.
YAML_MODULE = "pipeline/common/plain_yaml.py"
SAFE_YAML = "YAML(typ='safe', pure=True)"
BUILTINS = {"eval", "exec", "compile", "__import__"}
NAMES = {
    *(BUILTINS | {f"builtins.{name}" for name in BUILTINS}),
    *("os.system", "os.popen", "torch.load", "numpy.lib.npyio.NpzFile"),
}
# As the last part of a name, whatever they belong to.
METHODS = {
    *("extract", "extractall", "unpack_archive", "read_pickle", "to_pickle", "unsafe_load"),
    *("full_load", "import_module", "load_module", "exec_module", "spec_from_file_location"),
    *("ProcessPoolExecutor", "open_memmap"),
}
# What is safe with the right arguments only: it must be called where it is named.
NUMPY = {"numpy.load", "numpy.save", "numpy.lib.format.read_array", "numpy.lib.format.write_array"}
CAREFUL = NUMPY | {"ruamel.yaml.YAML"}
# What a module calls so even where, as in the examples below, nothing imports it.
USUAL = {"np": "numpy", "pd": "pandas", "YAML": "ruamel.yaml.YAML"}


def findings(path: str, text: str) -> Iterator[str]:
    """Yield what in a module may make code, or a file elsewhere, of what a file holds."""
    nodes = list(ast.walk(ast.parse(text)))
    names = USUAL | {own: name for node in nodes for own, name in _imported(node)}
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        found: list[str] = []
        if isinstance(node, ast.Import | ast.ImportFrom):
            found = [name for _, name in _imported(node) if _is_forbidden(name)]
        elif isinstance(node, ast.Call):
            found = list(_of_call(path, node, _resolved(node.func, names)))
        elif isinstance(node, ast.Attribute | ast.Name):
            # Called here, or by whom it is given to.
            name = _resolved(node, names)
            known = _first(ast.unparse(node)) in names
            if name in NAMES or _last(name) in METHODS or (known and _is_forbidden(name)):
                found = [name]
            elif name in CAREFUL and id(node) not in called:
                found = [f"{name} by another name"]
        yield from (f"{path}: {name}" for name in found)


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield the names that an import gives, each with what it stands for."""
    if isinstance(node, ast.Import):
        for name in node.names:
            yield name.asname or name.name, name.name
            # `import a.b` gives the name a.
            yield _first(name.name), _first(name.name)
    elif isinstance(node, ast.ImportFrom):
        for name in node.names:
            yield name.asname or name.name, f"{node.module}.{name.name}"


def _resolved(node: ast.expr, names: Mapping[str, str]) -> str:
    """Return an expression with its first name as the modules call it."""
    own, dot, rest = ast.unparse(node).partition(".")
    return names.get(own, own) + dot + rest


def _is_forbidden(name: str) -> bool:
    """Tell whether a name in full is one of MODULES or in one, or forbidden by itself."""
    parts = name.split(".")
    modules = {".".join(parts[:end]) for end in range(1, len(parts) + 1)}
    # All of a module is any of it.
    return bool(modules & MODULES) or name in NAMES or parts[-1] in METHODS | {"*"}


def _first(name: str) -> str:
    return name.partition(".")[0]


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _of_call(path: str, node: ast.Call, called: str) -> Iterator[str]:
    keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
    if keywords.get("shell", "False") != "False":
        yield f"{called} with a shell"
    if keywords.get("allow_pickle", None if called in NUMPY else "False") != "False":
        yield f"{called} without allow_pickle=False"
    if keywords.get("weights_only") == "False":
        yield called
    if called == "ruamel.yaml.YAML" and (path != YAML_MODULE or ast.unparse(node) != SAFE_YAML):
        yield "YAML that is not read safely"
    if called.endswith("find_spec") and not isinstance(node.args[0], ast.Constant | ast.Name):
        yield f"{called} of a name from elsewhere"


def test_no_file_can_become_code() -> None:
    assert len(FILES) > 90
    found = [
        finding
        for path in FILES
        for finding in findings(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
    ]
    assert set(found) == {f"{PROCESS_MODULE}: {name}" for name in PROCESSES}


@pytest.mark.parametrize(
    "planted",
    [
        "import pickle",
        "from pickle import loads",
        "from joblib import load",
        "import os, marshal as m",
        "import yaml",
        "def f(path):\n    return np.load(path)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "torch.load(path)",
        "torch.load(path, weights_only=True)",
        "YAML()",
        "YAML(typ='unsafe', pure=True)",
        "eval(text)",
        "exec(compile(text, '', 'exec'))",
        "builtins.eval(text)",
        "map(eval, texts)",
        "subprocess.run(text, shell=True)",
        "subprocess.run(text, shell=flag)",
        "os.system(text)",
        "tarfile.open(path).extractall(folder)",
        "archive.extract(member)",
        "shutil.unpack_archive(path)",
        "importlib.import_module(header['class'])",
        "from importlib import import_module\nimport_module(name)",
        "pd.read_pickle(path)",
        "importlib.util.find_spec(header['class'])",
        "from numpy import load\nload(p, allow_pickle=True)",
        "from numpy import load\nload(p)",
        "from numpy import load as l\nmap(l, paths)",
        "import numpy as n\nn.load(p)",
        "import numpy\nnumpy.load(p, None, True)",
        "read = np.load\nread(p)",
        "np.lib.format.read_array(f, allow_pickle=True)",
        "np.lib.format.read_array(f, True)",
        "import numpy.lib.format as f\nf.read_array(file, True)",
        "from numpy.lib.format import read_array\nread_array(file, allow_pickle=flag)",
        "anything(p, allow_pickle=True)",
        "from torch import load",
        "from torch import load as l\nl(path)",
        "import torch as t\nt.load(path)",
        "from numpy import *",
        "from ruamel.yaml import YAML as Y\nY()",
        "from ruamel.yaml import YAML as Y\nread = Y",
        "import ruamel.yaml\nruamel.yaml.YAML(typ='unsafe')",
        "from ruamel import yaml\nyaml.YAML(typ='unsafe')",
        "import ruamel.yaml as y\ny.YAML()",
        "from ruamel.yaml.main import YAML as Y",
        "from builtins import eval as run",
        "from os import system as run",
        "import multiprocessing",
        "from multiprocessing import Pool",
        "import torch.multiprocessing as m",
        "from torch import multiprocessing",
        "import torch\ntorch.multiprocessing.spawn(f)",
        "from concurrent.futures import ProcessPoolExecutor",
        "from concurrent import futures\nfutures.ProcessPoolExecutor()",
        "import concurrent.futures\nconcurrent.futures.ProcessPoolExecutor()",
        "from concurrent.futures.process import ProcessPoolExecutor as P",
    ],
)
def test_the_search_finds_a_planted_one(planted: str) -> None:
    assert list(findings(YAML_MODULE, planted))


def test_the_search_finds_nothing_where_nothing_is() -> None:
    harmless = (
        f"from ruamel.yaml import YAML\n{SAFE_YAML}\nre.compile(text)\nnetwork.eval()\n"
        "np.load(p, allow_pickle=False)\nfrom numpy import save as s\ns(p, a, allow_pickle=False)\n"
        "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor(2)\nself.load(p)\n"
    )
    assert list(findings(YAML_MODULE, harmless)) == []
    # YAML is read in one module.
    assert len(list(findings("pipeline/other.py", harmless))) == 1


BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{letter}: &{letter} [{', '.join([f'*{before}'] * 8)}]\n"
    for before, letter in zip("abcdefghijklmno", "bcdefghijklmnop", strict=True)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, r"found an anchor or an alias .*: write the value itself\n.*line 1, column 4"),
        ("a: &a {b: 1}\nc:\n  <<: *a\n", "found an anchor or an alias"),
        ("a:\n  - *a\n", "found an anchor or an alias .*\n.*line 2, column 5"),
        ("seeds: " + "[" * 100_000, "nested too deeply"),
        ("{a: " * 100_000, "nested too deeply"),
        ("- " * 100_000, "nested too deeply"),
        (
            "seeds: !!python/object/apply:os.system ['true']\n",
            "found a tag .*: leave it out\n.*line 1",
        ),
        ("seeds: !!binary AAAA\n", "found a tag"),
        ("seeds: !!bool maybe\n", "found a tag"),
        ("seeds: 1\nseeds: 1\n", "duplicate key"),
        ("seeds: 2026-99-99\n", "month must be in"),
        ("seeds: " + "9" * 5000, "digits"),
        ("seeds: 0x" + "f" * 5000, "thousands of digits"),
        ("seeds: [" + "x, " * 9999 + "x]", r"and \d+ more"),
        ("".join(f"k{i}: 1\n" for i in range(9999)), r"and \d+ more"),
        ("'k\\e[31m': 1\n\"k\\e[31m\": 1\n", r"k\\x1b\[31m: unknown key"),
        ("a: " + "x" * MAX_BYTES, f"more than {MAX_BYTES} bytes"),
        ("a: \0", "special characters"),
        ("", "not valid"),
    ],
)
def test_hostile_params_are_one_short_message(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with memory_below(50 * MIB), pytest.raises(PipelineError, match=message) as error:
        load_params(path)
    assert len(str(error.value)) < 3000
    assert str(error.value).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"":' * 100_000, "nested too deeply"),
        ("[]", "not a JSON object"),
        ('{"a": 1, "a": 1}', "has a key twice"),
        (" " * (MAX_BYTES + 1), f"more than {MAX_BYTES} bytes"),
        ('{"a": ' + "9" * 5000 + "}", "digits"),
        ("\xff", "Expecting value"),
    ],
)
def test_hostile_json_is_one_message(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "dataset.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_json(path)
    with pytest.raises(PipelineError, match=r"cannot read .*dataset\.json: "):
        dataset.load(tmp_path)


def npy_file(descr: str = "'|u1'", shape: str = "(2, 3)", data: bytes = bytes(6)) -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    header = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + data


def pickled() -> bytes:
    file = io.BytesIO()
    np.save(file, np.array([Path("x")]), allow_pickle=True)
    return file.getvalue()


def archived() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.zeros(3, np.uint8))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy_file(shape="(1000000, 1000000, 1000000)"), "header announces 10{15}"),
        (npy_file(shape="(2147483648, 4294967296)"), "header announces"),
        (npy_file(shape="(4294967296, 4294967296)", data=b""), "header announces"),
        (npy_file(shape="(-2, -3)"), "header announces"),
        (npy_file(shape="(2, 3"), "cannot read its header"),
        (npy_file(shape=f"({'9' * 30},)"), "header announces 10{27}127"),
        (npy_file(descr="'|O'"), "holds object, where uint8 belongs"),
        (npy_file(descr="'<f8'"), "holds float64"),
        (npy_file(descr="'Z9'"), "cannot read its header"),
        (npy_file(descr="[('a', '|u1')]"), r"holds \[\('a', 'u1'\)\], where"),
        (npy_file(descr=f"[('{'a' * 500}', '|u1')]"), r"holds \[\('a{37}\.\.\., where"),
        (npy_file(descr="('|u1', (2, 3))"), "holds"),
        (npy_file(descr="__import__('os')"), "cannot read its header"),
        (npy_file(descr="(" * 5000), "cannot read its header"),
        (npy_file(descr="-" * 5000), "cannot read its header"),
        (npy_file(data=bytes(7)), "it has"),
        (npy_file()[:9], "cannot read its header"),
        (b"\x93NUMPY\2\0\xff\xff\xff\xff" + bytes(100), "cannot read its header"),
        (b"\x93NUMPY\4\0" + bytes(100), "cannot read its header"),
        (pickled(), "holds object"),
        (archived(), "cannot read its header"),
    ],
)
def test_hostile_npy_files_are_one_message(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "images.npy"
    path.write_bytes(content)
    for read in (npy.read, rows_of):
        with memory_below(MIB), pytest.raises(ValueError, match=message):
            read(path)


def rows_of(path: Path) -> np.ndarray:
    """Return the array in a file that is read piece by piece."""
    shape, rows = npy.read_rows(path, lambda some: some, lambda _: None)
    return rows.reshape(shape)


SHAPES = [(7,), (4, 5), (2, 3, 4), (0, 3), (3, 0), (0,), (70_000, 2), (2, 70_000)]


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", SHAPES)
def test_npy_files_come_back_as_written(tmp_path: Path, order: str, shape: tuple[int]) -> None:
    array = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    path = tmp_path / "array.npy"
    np.save(path, array if order == "C" else np.asfortranarray(array))
    np.testing.assert_array_equal(npy.read(path), array)
    assert npy.read(path).shape == shape


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_come_back_as_written_and_every_byte_is_seen(
    tmp_path: Path, shape: tuple[int]
) -> None:
    array = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    path = tmp_path / "array.npy"
    np.save(path, array)
    seen = bytearray()
    stored, rows = npy.read_rows(path, np.invert, seen.extend)
    assert stored == shape
    np.testing.assert_array_equal(rows.reshape(shape), ~array)
    assert seen == path.read_bytes()


@pytest.mark.parametrize("array", [np.zeros((), np.uint8), np.zeros((3, 4), np.uint8, order="F")])
def test_what_is_not_stored_row_by_row_is_one_message(tmp_path: Path, array: np.ndarray) -> None:
    path = tmp_path / "array.npy"
    np.save(path, array)
    with pytest.raises(ValueError, match="its array is not stored row by row"):
        rows_of(path)


def test_rows_without_bytes_take_no_time(tmp_path: Path) -> None:
    path = tmp_path / "array.npy"
    path.write_bytes(npy_file(shape=f"({2**62}, 0)", data=b""))
    assert rows_of(path).shape == (2**62, 0)


def replace(folder: Path, name: str, array: np.ndarray) -> None:
    """Replace an array of a stored dataset, and its checksum with it."""
    np.save(folder / name, array)
    path = folder / "dataset.json"
    description = json.loads(path.read_text())
    description["sha256"][name] = checksum.sha256_file(folder / name)
    path.write_text(json.dumps(description))


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("test-labels.npy", np.full(30, 3, np.uint8), "has label 3, where there are 3 classes"),
        ("test-labels.npy", np.zeros(29, np.uint8), "does not hold a label per image"),
        ("test-labels.npy", np.zeros((30, 1), np.uint8), "does not hold a label per image"),
        ("test-labels.npy", np.zeros(30), "holds float64"),
        ("test-images.npy", np.zeros((30, 6, 6), np.uint8), "does not hold a label per image"),
        ("test-images.npy", np.zeros((30, 0), np.uint8), "does not hold a label per image"),
        (
            "test-images.npy",
            np.zeros((30, 35), np.uint8),
            r"test-images\.npy has images of 35 pixels, not of 6 x 6",
        ),
    ],
)
def test_a_dataset_of_another_make_is_one_message(
    params: Params, name: str, array: np.ndarray, message: str
) -> None:
    store(sources.find(params.data, lambda _: None), params.data)
    replace(DATA, name, array)
    with pytest.raises(PipelineError, match=message):
        dataset.load()


def package(folder: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    """Write a Debian package, as its sources may: an ar archive of tar archives."""

    def tar(entries: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            for info, content in entries:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return file.getvalue()

    control = b"Package: dataset-fashion-mnist\nVersion: 1\nArchitecture: all\n"
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": tar([(tarfile.TarInfo("control"), control)]),
        "data.tar.gz": tar(members),
    }
    path = folder / "dataset.deb"
    with path.open("wb") as file:
        file.write(b"!<arch>\n")
        for name, content in parts.items():
            file.write(f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode())
            file.write(content + b"\n" * (len(content) % 2))
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
IMAGES = f"./{sources.DEBIAN_FOLDER}/train-images-idx3-ubyte.gz"


@needs_dpkg
def test_a_hostile_package_writes_nothing_elsewhere(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    secret = outside / "secret"
    secret.write_text("secret")
    deb = package(
        tmp_path,
        [
            (member("../outside/dots-ubyte.gz"), b"x"),
            (member(f"./{sources.DEBIAN_FOLDER}/../../../../../outside/up-ubyte.gz"), b"x"),
            (member(f"{outside}/absolute-ubyte.gz"), b"x"),
            # A link in place of the folder, and a file through it.
            (member("./usr", tarfile.SYMTYPE, str(outside)), b""),
            (member(f"./{sources.DEBIAN_FOLDER}", tarfile.SYMTYPE, str(outside)), b""),
            (member(f"./{sources.DEBIAN_FOLDER}/..-ubyte.gz"), b"a name"),
            (member(f"./{sources.DEBIAN_FOLDER}/a-ubyte.gz", tarfile.SYMTYPE, str(secret)), b""),
            (member(f"./{sources.DEBIAN_FOLDER}/b-ubyte.gz", tarfile.LNKTYPE, str(secret)), b""),
            (member(f"./{sources.DEBIAN_FOLDER}/c-ubyte.gz", tarfile.FIFOTYPE), b""),
            (member("./usr/lib/more"), b"x"),
            (member(IMAGES), b"images"),
        ],
    )
    sources._unpack(deb, folder)
    written = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert written == {"train-images-idx3-ubyte.gz": b"images", "..-ubyte.gz": b"a name"}
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert not any(path.is_symlink() for path in folder.iterdir())


@needs_dpkg
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME])
def test_a_package_that_unpacks_to_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: bytes
) -> None:
    monkeypatch.setattr(sources, "MAX_UNPACKED", MIB)
    deb = package(tmp_path, [(member(IMAGES, kind), bytes(8 * MIB))])
    with memory_below(4 * MIB), pytest.raises(sources._UnreachableError, match="unpacks to more"):
        sources._unpack(deb, tmp_path)


@needs_dpkg
@pytest.mark.parametrize("content", [b"", b"!<arch>\n", b"not a package"])
def test_a_damaged_package_is_refused(tmp_path: Path, content: bytes) -> None:
    deb = tmp_path / "dataset.deb"
    deb.write_bytes(content)
    with pytest.raises(sources._UnreachableError, match="is damaged"):
        sources._unpack(deb, tmp_path)


@needs_dpkg
def test_the_test_s_packages_are_packages(tmp_path: Path) -> None:
    images = to_idx(np.zeros((1, 2, 2), np.uint8))
    listed = subprocess.run(
        ["dpkg-deb", "--contents", str(package(tmp_path, [(member(IMAGES), images)]))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert IMAGES in listed.stdout
