"""Makes the Python stubs from ``protos/``: by the ``latecomer`` script in a checkout, and in each build of a wheel.

The stubs live in ``grpc_services/python/stubs`` and are never committed nor edited. A wheel also gets the manifests,
for ``latecomer deploy`` without a checkout; an image has none, and is built without them.
"""

import sys
from pathlib import Path
from typing import Any

PACKAGE = Path("grpc_services/python/stubs")
MANIFESTS = ("README.md", "base", "components", "overlays/local", "overlays/local-operator", "overlays/production")
"""Without overlays of a user's own."""


def generate_stubs(root: Path) -> None:
    """Make the stubs of every ``.proto`` of a checkout, as the package ``grpc_services.python.stubs``."""
    from grpc_tools import protoc  # not needed to import this module as a build hook

    stubs = root / PACKAGE
    protos = sorted((root / "protos").rglob("*.proto"))
    include = Path(protoc.__file__).parent / "_proto"
    arguments = [
        f"-I{PACKAGE}={root / 'protos'}",  # the virtual path makes the stubs import each other by their package
        f"-I{include}",
        f"--python_out={root}",
        f"--pyi_out={root}",
        f"--grpc_python_out={root}",
        *(str(PACKAGE / proto.relative_to(root / "protos")) for proto in protos),
    ]
    if protoc.main(["protoc", *arguments]) != 0:
        raise SystemExit("the stubs could not be generated from protos/")
    for directory in {stubs, *(path.parent for path in stubs.rglob("*_pb2.py"))}:
        for package in (directory, *directory.parents):
            if package == root / "grpc_services/python":
                break
            (package / "__init__.py").touch()


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a script
    pass
else:

    class GenerateStubs(BuildHookInterface[Any]):
        """Runs before a wheel is put together."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            root = Path(self.root)
            generate_stubs(root)
            for part in MANIFESTS:
                if (root / "deploy/kubernetes" / part).exists():
                    build_data["force_include"][f"deploy/kubernetes/{part}"] = f"dataflows/deployment/kubernetes/{part}"


if __name__ == "__main__":
    generate_stubs(Path(sys.argv[1]).resolve())
