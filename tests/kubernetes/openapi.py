"""Compares the golden manifests with what a version of Kubernetes says of its own API, and keeps the facts that decide it::

    openapi.py FROM... [--keep tests/it/kubernetes/api/1.35.json] [--name 1.35] [MANIFEST.yaml...]

FROM is a folder with OpenAPI v3 documents (api/openapi-spec/v3 of a kubernetes/kubernetes checkout, or any with its *.json below
it), a folder with the models of the official Python client (kubernetes/client/models of its wheel, which is generated from the same
documents), or the YAML of a CustomResourceDefinition (the Gateway API's httproutes). Several are read together.

What is kept is of each type that a manifest uses the names and types of all its fields, and which of them have to be there; the test
kubernetes::golden holds every manifest against it, without a network. Needs PyYAML.
"""

import argparse
import ast
import glob
import json
import os
import re
import sys

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
SIMPLE = {"str": "string", "int": "integer", "bool": "boolean", "float": "number", "object": "any", "datetime": "string", "bytes": "string"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("source", nargs="+", metavar="FROM")
    parser.add_argument("--keep")
    parser.add_argument("--name", default="")
    parser.add_argument("--manifests", nargs="*")
    args = parser.parse_args()
    kinds, types = {}, {}
    for source in args.source:
        read = client if glob.glob(os.path.join(source, "v1_pod_spec.py")) else crd if source.endswith(".yaml") else openapi
        for known, found in zip((kinds, types), read(source)):
            known.update(found)
    manifests = args.manifests or sorted(glob.glob(os.path.join(HERE, "../it/kubernetes/*.yaml")))
    used, wrong, objects = set(), [], 0
    for path in manifests:
        with open(path, encoding="utf-8") as file:
            for value in yaml.safe_load_all(file):
                objects += 1
                kind = value["apiVersion"] + " " + value["kind"]
                place = os.path.basename(path) + " " + value["kind"] + " " + value["metadata"]["name"]
                if kind not in kinds:
                    wrong.append(f"{place}: there is no {kind}")
                    continue
                used.add("kind " + kind)
                walk(types, kinds[kind], value, place, used, wrong)
    for line in wrong:
        print(line, file=sys.stderr)
    if args.keep and not wrong:
        facts = {
            "version": args.name,
            "kinds": {kind: kinds[kind] for kind in sorted(kinds) if "kind " + kind in used},
            "types": {name: types[name] for name in sorted(types) if name in used},
        }
        os.makedirs(os.path.dirname(os.path.abspath(args.keep)), exist_ok=True)
        with open(args.keep, "w", encoding="utf-8") as file:
            json.dump(facts, file, indent=1, sort_keys=True)
            file.write("\n")
    print(f"{args.name}: {objects} objects of {len(manifests)} files, {len(used)} types, {len(wrong)} faults")
    return 1 if wrong else 0


def walk(types, wanted, value, place, used, wrong):
    """A type is its name, `[T]`, `{T}`, or `one|of|these` behind `=`."""
    if wanted.startswith("["):
        if not isinstance(value, list):
            return wrong.append(f"{place}: {value!r} is no list")
        for number, one in enumerate(value):
            walk(types, wanted[1:-1], one, f"{place}[{number}]", used, wrong)
    elif wanted.startswith("{"):
        if not isinstance(value, dict):
            return wrong.append(f"{place}: {value!r} is no map")
        for name, one in value.items():
            walk(types, wanted[1:-1], one, f"{place}.{name}", used, wrong)
    elif wanted in types:
        used.add(wanted)
        if not isinstance(value, dict):
            return wrong.append(f"{place}: {value!r} is no {wanted}")
        known = types[wanted]
        for name in known["required"]:
            if name not in value:
                wrong.append(f"{place}: lacks {name}")
        for name, one in value.items():
            if name not in known["fields"]:
                wrong.append(f"{place}: {wanted} has no field {name}")
            else:
                walk(types, known["fields"][name], one, f"{place}.{name}", used, wrong)
    elif not is_simple(wanted, value):
        wrong.append(f"{place}: {value!r} is no {wanted}")


def is_simple(wanted, value):
    number = isinstance(value, int) and not isinstance(value, bool)
    if wanted.startswith("="):
        return value in wanted[1:].split("|")
    return {
        "string": isinstance(value, str),
        "integer": number,
        "number": number or isinstance(value, float),
        "boolean": isinstance(value, bool),
        "string-or-number": number or isinstance(value, (str, float)),
        "any": True,
    }[wanted]


def openapi(folder):
    kinds, types = {}, {}
    for path in glob.glob(os.path.join(folder, "**/*.json"), recursive=True):
        with open(path, encoding="utf-8") as file:
            schemas = json.load(file).get("components", {}).get("schemas", {})
        for name, schema in schemas.items():
            for own in schema.get("x-kubernetes-group-version-kind", []):
                if "properties" in schema and not own["kind"].endswith(("List", "Options", "Event")):
                    kinds["/".join(filter(None, (own["group"], own["version"]))) + " " + own["kind"]] = name
            if schema.get("properties"):
                types[name] = {
                    "required": sorted(schema.get("required", [])),
                    "fields": {field: told(one, schemas) for field, one in schema["properties"].items()},
                }
    return kinds, types


def told(schema, schemas):
    if "allOf" in schema:
        schema = schema["allOf"][0]
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return name if schemas[name].get("properties") else told(schemas[name], schemas)
    if "oneOf" in schema:
        return "string-or-number"
    if "enum" in schema and all(isinstance(one, str) for one in schema["enum"]):
        return "=" + "|".join(schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return "[" + told(schema["items"], schemas) + "]"
    if kind == "object":
        return "{" + told(schema["additionalProperties"], schemas) + "}" if "additionalProperties" in schema else "any"
    return kind


def crd(path):
    with open(path, encoding="utf-8") as file:
        spec = yaml.safe_load(file)["spec"]
    kinds, types = {}, {}

    def nested(name, schema):
        if schema.get("x-kubernetes-int-or-string"):
            return "string-or-number"
        if schema.get("type") == "array":
            return "[" + nested(name, schema["items"]) + "]"
        if schema.get("type") == "object" and schema.get("properties"):
            types[name] = {
                "required": sorted(schema.get("required", [])),
                "fields": {field: nested(name + "." + field, one) for field, one in schema["properties"].items()},
            }
            return name
        return told(schema, {})

    for version in spec["versions"]:
        kind = spec["names"]["kind"]
        name = f"{spec['group']}.{version['name']}.{kind}"
        schema = version["schema"]["openAPIV3Schema"]
        kinds[f"{spec['group']}/{version['name']} {kind}"] = nested(name, schema)
        # The metadata of a custom resource are those of every object.
        types[name]["fields"]["metadata"] = "{any}"
    return kinds, types


def client(folder):
    """The models that are generated from the documents: each class says its fields, their types and which have to be there."""
    kinds, types = {}, {}
    for path in glob.glob(os.path.join(folder, "v1_*.py")):
        with open(path, encoding="utf-8") as file:
            text = file.read()
        (own,) = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
        said = {}
        needed = set(re.findall(r"Invalid value for `(\w+)`, must not be `None`", text))
        for node in own.body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            if isinstance(target, ast.Name) and target.id in ("openapi_types", "attribute_map"):
                value = node.value if isinstance(node.value, ast.Dict) else node.value.args[-1]
                said[target.id] = ast.literal_eval(value)
            elif isinstance(node, ast.AnnAssign) and not ast.unparse(node.annotation).startswith(("Optional", "ClassVar")):
                needed.add(node.target.id)
        names = said["attribute_map"]
        types[own.name] = {
            "required": sorted(names[field] for field in needed),
            "fields": {names[field]: of_client(one) for field, one in said["openapi_types"].items()},
        }
        if names.get("api_version") == "apiVersion":
            kinds[own.name] = own.name
    groups = {
        "v1": ["ConfigMap", "Secret", "Service", "PersistentVolumeClaim"], "apps/v1": ["Deployment"], "batch/v1": ["CronJob", "Job"],
        "policy/v1": ["PodDisruptionBudget"], "networking.k8s.io/v1": ["Ingress"],
    }
    return {f"{group} {kind}": "V1" + kind for group, own in groups.items() for kind in own if "V1" + kind in kinds}, types


def of_client(text):
    """`list[V1Container]`, `dict(str, str)`, `int`."""
    for form, around in ((r"[Ll]ist\[(.*)\]", "[{}]"), (r"[Dd]ict[\(\[]str, (.*)[\)\]]", "{{{}}}")):
        match = re.fullmatch(form, text)
        if match:
            return around.format(of_client(match.group(1)))
    # An IntOrString is an `object`, a Quantity a `str` there.
    return SIMPLE.get(text, text)


if __name__ == "__main__":
    sys.exit(main())
