"""Writes the wheel's bill of materials (PEP 770) in CycloneDX, from pyproject.toml."""

import json
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.requirements import Requirement


class Sbom(BuildHookInterface):
    """Names the package, in which there is no code of others, and what it needs to run."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the document, and have it put into the wheel."""
        del version
        core = self.metadata.core
        needed = sorted(Requirement(each).name for each in core.dependencies)
        address = f"pkg:pypi/{core.name}@{self.metadata.version}"
        document = {
            "bomFormat": "CycloneDX",
            "specVersion": "1.6",
            "version": 1,
            "metadata": {
                "component": {
                    "type": "library",
                    "bom-ref": address,
                    "name": core.name,
                    "version": self.metadata.version,
                    "purl": address,
                    "licenses": [{"expression": core.license_expression}],
                }
            },
            "components": [
                {"type": "library", "bom-ref": f"pkg:pypi/{each}", "name": each, "purl": f"pkg:pypi/{each}"}
                for each in needed
            ],
            "dependencies": [{"ref": address, "dependsOn": [f"pkg:pypi/{each}" for each in needed]}],
        }
        self._folder = tempfile.TemporaryDirectory()
        path = Path(self._folder.name, f"{core.name}.cdx.json")
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        build_data["sbom_files"].append(str(path))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the file, which is in the wheel now."""
        del version, build_data, artifact_path
        self._folder.cleanup()
