"""The files of docker/, as far as they can be checked without an image, as TAP.

	container.py TOP

TOP is the top of the tree.  Whether the images can be built, and what is in them, is
tested by test/image.sh.  Needs python3-yaml.
"""
import json
import pathlib
import re
import sys

import yaml

from compose import VARIABLE, is_folder, load, mounts
from tap import check, done

TOP = pathlib.Path(sys.argv[1]).resolve()
DOCKER = TOP / "docker"
DOCKERFILES = ["docker/Dockerfile", "docker/Dockerfile.cloudnativepg"]

# What the page of CloudNativePG has for an extension.
EXTENSION_KEYS = {"name", "image", "extension_control_path", "dynamic_library_path", "ld_library_path"}


def read(path):
    return (TOP / path).read_text(encoding="utf-8")


def instructions(path):
    """(name, the rest of it) of each instruction of a Dockerfile, one of several lines as one."""
    text = re.sub(r"^#.*\n", "", read(path), flags=re.M).replace("\\\n", " ")
    return [line.split(None, 1) for line in text.split("\n") if line.strip()]


def declared(path):
    """The arguments that a Dockerfile takes."""
    return {rest.split("=")[0] for name, rest in instructions(path) if name == "ARG"}


def check_dockerfiles():
    copied = [(path, source) for path in DOCKERFILES for name, rest in instructions(path)
              if name == "COPY" and "--from" not in rest for source in rest.split()[:-1]]
    check(["%s: %s" % pair for pair in copied if not (TOP / pair[1]).exists()] or ([] if copied else ["nothing"]),
          "what the Dockerfiles copy is there")
    check(["%s: %s" % (path, user) for path in DOCKERFILES for user in last_stage_users(path)],
          "no image is run by another user than its base")


def last_stage_users(path):
    """The users that the last stage of a Dockerfile sets."""
    users = []
    for name, rest in instructions(path):
        if name == "FROM":
            users = []
        elif name == "USER":
            users.append(rest)
    return users


def check_compose(compose):
    services = compose["services"]
    postgres = services["postgres"]
    build = postgres["build"]
    check([] if (DOCKER / build["context"]).resolve() == TOP and build["dockerfile"] in DOCKERFILES else [build],
          "compose.yaml builds a Dockerfile of this tree")
    check(set(build["args"]) - declared(build["dockerfile"]), "with arguments that it takes")
    everything = [(name, *mount) for name, service in services.items() for mount in mounts(service)]
    folders = [each for each in everything if is_folder(each[1])]
    check(["%s: %s" % each[:2] for each in folders if not (DOCKER / each[1]).is_dir()] or ([] if folders else ["none"]),
          "the folders that it mounts are there")
    check([each for each in folders if each[3] != ["ro"]], "and cannot be written to")
    check({each[1] for each in everything if not is_folder(each[1])} ^ set(compose["volumes"]), "its volumes are declared")
    environment = [(name, *pair) for name, service in services.items() for pair in service["environment"].items()]
    passwords = [each for each in environment if "PASSWORD" in each[1]]
    check([each for each in passwords if not (VARIABLE.fullmatch(each[2]) and ":?" in each[2])] or
          ([] if len(passwords) == 4 else passwords), "passwords are the environment's, which must have them")
    check([port for service in services.values() for port in service.get("ports", []) if not port.startswith("127.0.0.1:")],
          "ports are published on the loopback")
    # where an image of 18 or later keeps its clusters
    version = re.fullmatch(r"postgres:(\d+)", build["args"]["BASE"]).group(1)
    check([] if (int(version) >= 18 and build["args"]["EXTRA_PACKAGES"] == "postgresql-%s-cron" % version and
                 ("data", "/var/lib/postgresql", []) in mounts(postgres)) else [build["args"]],
          "packages and volume are those of its version of Postgres")


def check_grafana(compose):
    grafana = compose["services"]["grafana"]
    script = read("docker/initdb/sagemaker_fdw.sql")
    dashboard = json.loads(read("doc/grafana/training-jobs.json"))
    source, = load(DOCKER / "grafana/datasources/sagemaker_fdw.yaml")["datasources"]
    provider, = load(DOCKER / "grafana/dashboards/sagemaker_fdw.yaml")["providers"]
    kinds = [variable["query"] for variable in dashboard["templating"]["list"] if variable["type"] == "datasource"]
    check([] if kinds == [source["type"]] and source["isDefault"] else [kinds, source["type"]],
          "the data source is of the kind that the dashboard lets be chosen")
    host, _, port = source["url"].partition(":")
    check([] if host in compose["services"] and port == "5432" else [source["url"]], "it is a service of compose.yaml")
    check([] if "CREATE ROLE %s LOGIN" % source["user"] in script and source["jsonData"]["database"] == "postgres" else
          [source["user"]], "its role is the one that the first start creates")
    variable = re.fullmatch(r"\$(\w+)", source["secureJsonData"]["password"]).group(1)
    check([name for name, service in compose["services"].items() if variable not in service["environment"]] or
          ([] if "\\getenv password %s\n" % variable in script else [variable]), "both get its password from one variable")
    places = {target: (DOCKER / folder).resolve() for folder, target, _options in mounts(grafana)}
    check([] if places.get(provider["options"]["path"]) == TOP / "doc/grafana" else [provider["options"]["path"]],
          "the dashboard is where Grafana is told to look for it")
    check([] if places.get("/etc/grafana/provisioning") == DOCKER / "grafana" else [places], "and so is what tells it")


def check_page():
    page = read("doc/operations.md")
    section = page[page.index("\n## In a container\n"):].split("\n## ")[1]
    commands = re.findall(r"^docker (?:[^\n\\]|\\\n)*", section, re.M)
    files = [re.search(r" -f (docker/\S+)", command).group(1) for command in commands]
    check(set(DOCKERFILES + ["docker/compose.yaml"]) ^ set(files), "the page has a command for each file of docker/")
    check([(path, name) for path, command in zip(files, commands) for name in re.findall(r"--build-arg (\w+)", command)
           if name not in declared(path)], "with arguments that it takes")
    compose = read("docker/compose.yaml")
    exported = re.search(r"^export (.*)$", section, re.M).group(1)
    check(set(re.findall(r"(\w+)=\.\.\.", exported)) ^ {match.group(1) for match in VARIABLE.finditer(compose) if match.group(2) == "?"},
          "and sets the variables that compose.yaml needs")
    cluster, = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", section, re.M | re.S)]
    extension, = cluster["spec"]["postgresql"]["extensions"]
    check([] if (cluster["kind"] == "Cluster" and not set(extension) - EXTENSION_KEYS and set(extension["image"]) == {"reference"} and
                 re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", extension["name"])) else [extension],
          "the extension of its Cluster has a name that Kubernetes takes, and an image")


def main():
    check_dockerfiles()
    compose = load(DOCKER / "compose.yaml")
    check_compose(compose)
    check_grafana(compose)
    check_page()
    return done()


if __name__ == "__main__":
    sys.exit(main())
