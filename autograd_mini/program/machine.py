"""The machine that runs programs: its processor, object code from LLVM's text, and functions from object code.

This module imports only `llvmlite.binding`, which is enough to run the object code in a cache. To compile, other
modules import `llvmlite.ir`, which builds LLVM's text.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import llvmlite
import llvmlite.binding as llvm

from ..source import OF_MATH

llvm.initialize_native_target()
llvm.initialize_native_asmprinter()

NAME = llvm.get_host_cpu_name()
try:
    FEATURES: str = llvm.get_host_cpu_features().flatten()  # the processor has these, and the system enables them
except RuntimeError:  # LLVM cannot ask this processor
    FEATURES = ""
WIDTH = 8 if "+avx512f" in FEATURES.split(",") else 4  # numbers in a vector: it fills one register, or two
# Kernels call these functions of C. On some systems LLVM does not find them by itself.
OF_C = [*OF_MATH, "tgamma", "ceil", "floor", "rint", "roundeven", "trunc", "memset", "memcpy"]


def triple() -> str:
    """Return the name of the platform that LLVM makes code for."""
    name: str = llvm.get_process_triple()
    return f"{name}-elf" if sys.platform == "win32" else name  # LLVM's loader takes only ELF objects there


def identity() -> str:
    """Return a text that names the platform: two machines with the same text can run the same object code."""
    return "\n".join([triple(), NAME, FEATURES, llvmlite.__version__, str(llvm.llvm_version_info)])


def _target() -> Any:
    """Return a description of the machine for LLVM. Each compilation or load needs a new one."""
    target = llvm.Target.from_triple(triple())
    return target.create_target_machine(cpu=NAME, features=FEATURES, opt=2, jit=True)


def object_of(text: str) -> bytes:
    """Return the object code of a module, given as LLVM's text."""
    module = llvm.parse_assembly(text)
    module.verify()
    target = _target()
    builder = llvm.create_pass_builder(target, llvm.create_pipeline_tuning_options(speed_level=2))
    passes = llvm.create_new_module_pass_manager()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    passes.run(module, builder)
    return bytes(target.emit_object(module))


@cache
def _show_functions_of_c() -> None:
    """Register the addresses of the functions of C with LLVM."""
    lacking = OF_C
    for library in _libraries():
        for symbol in lacking:
            if hasattr(library, symbol):
                llvm.add_symbol(symbol, ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value)
        lacking = [symbol for symbol in lacking if not hasattr(library, symbol)]
        if not lacking:
            return


def _libraries() -> Iterator[Any]:
    """Yield the libraries that may have the functions of C."""
    if sys.platform == "win32":
        yield ctypes.CDLL("ucrtbase")
        return
    yield ctypes.CDLL(None)  # all that the process has loaded
    if sys.platform != "darwin":
        from ctypes.util import find_library  # it runs other programs

        yield ctypes.CDLL(find_library("m"))


class Loaded:
    """Object code in memory. Its functions can be called as long as this object exists."""

    def __init__(self, code: bytes) -> None:
        _show_functions_of_c()
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def place(self, name: str) -> int:
        """Return the address of a function."""
        return int(self._engine.get_function_address(name))
