"""YAML in which a key stands once: plain YAML keeps the last of two and says nothing."""

from __future__ import annotations

from typing import Any

import yaml


class DuplicateKey(yaml.YAMLError):
    """A mapping has a key twice; the message names the key and both lines."""


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            line = key.start_mark.line + 1
            if key.value in first:
                raise DuplicateKey(
                    f"line {line}: {key.value} was set already in line {first[key.value]}; remove one of the two"
                )
            first[key.value] = line
        return super().construct_mapping(node, deep)


def parse(text: str) -> Any:
    """Parse YAML.

    Raises:
        DuplicateKey: a mapping has a key twice.
        yaml.YAMLError: it is not YAML.
    """
    return yaml.load(text, _Loader)
