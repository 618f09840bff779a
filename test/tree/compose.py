"""What docker/compose.yaml says, for those who have no Compose.

	compose.py TOP build SERVICE
	compose.py TOP run SERVICE
	compose.py TOP queries

The first prints the arguments of a build, the second options for the environment and the
mounted folders, two hyphens, the entrypoint of postgres:NN and the command: those of docker,
which buildah has, too.
Volumes are left out, and so are ports.  The third prints user and database of Grafana's
data source, and the queries of the dashboard's variables.  A zero byte ends each word.
TOP is the top of the tree.  Needs python3-yaml.
"""
import json
import os
import pathlib
import re
import sys

import yaml

# A variable of the environment, as Compose writes one: its name, and what stands where there is none.
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def load(path):
    """A file of YAML."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def substitute(text):
    """A value with those of the environment in it."""
    def value(match):
        name, sign, rest = match.groups()
        if os.environ.get(name):
            return os.environ[name]
        if sign == "?":
            sys.exit("%s is not set: %s" % (name, rest))
        return rest or ""
    return VARIABLE.sub(value, text)


def mounts(service):
    """(source, where it is mounted, options) of each volume and folder of a service."""
    for mount in service.get("volumes", []):
        source, target, *options = mount.split(":")
        yield source, target, options


def is_folder(source):
    return source.startswith((".", "/"))


def build_arguments(top, service):
    build = service["build"]
    yield from ("--file", str(top / build["dockerfile"]), "--tag", substitute(service["image"]))
    for name, value in build["args"].items():
        yield from ("--build-arg", "%s=%s" % (name, substitute(value)))
    yield str((top / "docker" / build["context"]).resolve())


def run_arguments(top, service):
    for name, value in service["environment"].items():
        yield from ("--env", "%s=%s" % (name, substitute(value)))
    for source, target, options in mounts(service):
        if is_folder(source):
            yield from ("--volume", ":".join([str((top / "docker" / source).resolve()), target, *options]))
    yield from ("--", "docker-entrypoint.sh")
    yield from service["command"]


def queries(top):
    source, = load(top / "docker/grafana/datasources/sagemaker_fdw.yaml")["datasources"]
    yield from (source["user"], source["jsonData"]["database"])
    dashboard = json.loads((top / "doc/grafana/training-jobs.json").read_text(encoding="utf-8"))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]


def main():
    top, what, *names = sys.argv[1:]
    top = pathlib.Path(top).resolve()
    if what == "queries":
        words = queries(top)
    else:
        service = load(top / "docker/compose.yaml")["services"][names[0]]
        words = {"build": build_arguments, "run": run_arguments}[what](top, service)
    for word in words:
        sys.stdout.write(word + "\0")


if __name__ == "__main__":
    main()
