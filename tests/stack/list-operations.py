"""Prints the operations of an OpenAPI document, as `GET /status,PUT /config`: list-operations.py DOCUMENT"""

import sys

import yaml

METHODS = ("get", "head", "put", "patch", "post", "delete")
with open(sys.argv[1], encoding="utf-8") as document:
    paths = yaml.safe_load(document)["paths"]
print(",".join(f"{method.upper()} {path}" for path, item in paths.items() for method in METHODS if method in item))
