"""Prints docs/parameters.md, which is made of a template: parameter-tables.py TEMPLATE"""

import sys

from samtranslator.yaml_helper import yaml_parse

INTRODUCTION = """\
# Parameters and outputs of the template

Made of `template.yaml` by `make parameters`; `make lint` fails where it is not what the template says.
[deployment.md](deployment.md) says what a deployment needs, and [configuration.md](configuration.md) what becomes of the
values.
"""


def values(parameter):
    """What it may be."""
    allowed = parameter.get("AllowedValues")
    if allowed:
        return ", ".join(f"`{value}`" for value in allowed)
    least, most = parameter.get("MinValue"), parameter.get("MaxValue")
    if least is not None:
        return f"{least:,} to {most:,}" if most is not None else f"from {least:,} on"
    return f"`{parameter['AllowedPattern']}`" if "AllowedPattern" in parameter else "text"


def default(parameter):
    if "Default" not in parameter:
        return "**required**"
    return f"`{parameter['Default']}`" if parameter["Default"] != "" else ""


def prose(text):
    """A description as Markdown, in one line."""
    for sign in "<*_":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())


def row(*cells):
    """A row of a table; what would end a cell is escaped."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def parameters(template):
    groups = template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    for group in groups:
        yield f"\n## {group['Label']['default']}\n"
        yield row("parameter", "default", "may be", "")
        yield "|---|---|---|---|"
        for name in group["Parameters"]:
            parameter = template["Parameters"][name]
            yield row(f"`{name}`", default(parameter), values(parameter), prose(parameter["Description"]))


def outputs(template):
    yield "\n## Outputs\n"
    yield row("output", "is there", "")
    yield "|---|---|---|"
    for name, output in template["Outputs"].items():
        yield row(f"`{name}`", output.get("Condition", "always"), prose(output["Description"]))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        template = yaml_parse(file.read())
    print(INTRODUCTION.rstrip())
    for line in [*parameters(template), *outputs(template)]:
        print(line)


main()
