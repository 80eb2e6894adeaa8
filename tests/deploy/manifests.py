"""What no schema says of the files in deploy/: that they fit together, and what every container must be."""

import sys
from pathlib import Path
from typing import Any

import ruamel.yaml

PLACE = Path(sys.argv[1])
YAML = ruamel.yaml.YAML(typ="safe", pure=True)


def check(what: str, held: bool) -> None:
    if not held:
        sys.exit(f"FAILED: {what}")


def compose(path: Path) -> None:
    project: dict[str, Any] = YAML.load(path)
    for name, service in project["services"].items():
        at = f"{path.name}: {name}"
        check(f"{at} is read-only", service.get("read_only") is True)
        check(f"{at} has no capabilities beside what it adds", service.get("cap_drop") == ["ALL"])
        check(f"{at} gets no new privileges", "no-new-privileges:true" in service.get("security_opt", []))
        check(f"{at} has a bound of memory", "mem_limit" in service)
        for volume in service.get("volumes", []):
            source = volume["source"] if isinstance(volume, dict) else volume.split(":")[0]
            if source.startswith("./") and not source.startswith(("./tls", "./secrets")):
                check(f"{at} mounts {source}, which is there", (path.parent / source).exists())


def kubernetes(files: list[Path], kinds_beside: list[str]) -> None:
    objects = [made for path in files for made in YAML.load_all(path) if made]
    kinds = {made["kind"]: made for made in objects}
    for kind in ["Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", *kinds_beside]:
        check(f"kubernetes has a {kind}", kind in kinds)
    spec = kinds["Deployment"]["spec"]
    labels = spec["template"]["metadata"]["labels"].items()
    chosen = {
        "Deployment": spec["selector"]["matchLabels"],
        "Service": kinds["Service"]["spec"]["selector"],
        "PodDisruptionBudget": kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    }
    for kind, selector in chosen.items():
        check(f"{kind} selects the pods of the Deployment", bool(selector) and selector.items() <= labels)
    pod = spec["template"]["spec"]
    ports = {port["name"] for container in pod["containers"] for port in container["ports"]}
    for port in kinds["Service"]["spec"]["ports"]:
        check(f"the Service's port {port['targetPort']} is one of the container", port["targetPort"] in ports)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for container in pod["containers"] + pod.get("initContainers", []):
        for mount in container.get("volumeMounts", []):
            check(f"there is a volume {mount['name']}", mount["name"] in volumes)
        security = container["securityContext"]
        check("no container can gain privileges", security["allowPrivilegeEscalation"] is False)
        check("each container is read-only", security["readOnlyRootFilesystem"] is True)
        check("no container has capabilities", security["capabilities"] == {"drop": ["ALL"]})
        check("each container has a bound of memory", "memory" in container["resources"]["limits"])
    check("no pod runs as root", pod["securityContext"]["runAsNonRoot"] is True)
    secrets = {v["secret"]["secretName"] for v in volumes.values() if "secret" in v}
    named = {made["metadata"]["name"] for made in objects if made["kind"] == "Secret"}
    if named:
        check(f"each mounted secret is described: {secrets}", secrets <= named)
    server = next(container for container in pod["containers"] if "livenessProbe" in container)
    check("liveness asks /healthz", server["livenessProbe"]["httpGet"]["path"] == "/healthz")
    check("readiness asks /readyz", server["readinessProbe"]["httpGet"]["path"] == "/readyz")
    arguments = server["args"]

    def seconds(flag: str) -> int:
        return int(arguments[arguments.index(flag) + 1])

    grace = pod["terminationGracePeriodSeconds"]
    check("a pod is killed after its drain", grace > seconds("--drain-delay") + seconds("--drain"))


if PLACE.is_file():
    # What `pymcp new` writes, whose head says how the secret is made.
    kubernetes([PLACE], [])
else:
    for project in sorted(PLACE.glob("compose*.yaml")):
        compose(project)
    kubernetes(sorted((PLACE / "kubernetes").glob("*.yaml*")), ["Secret"])
