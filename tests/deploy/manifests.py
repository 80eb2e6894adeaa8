"""What no schema says of the files in deploy/: that they fit together, and what every container must be."""

import subprocess
import sys
import tempfile
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


def read(files: list[Path]) -> list[dict[str, Any]]:
    return [made for path in files for made in YAML.load_all(path) if made]


def pods(workload: dict[str, Any], secrets: set[str]) -> dict[str, Any]:
    """What every pod must be; `secrets` are those that are described, if any are."""
    pod = workload["spec"]["template"]["spec"]
    claimed = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    for container in pod["containers"] + pod.get("initContainers", []):
        for mount in container.get("volumeMounts", []):
            check(f"there is a volume {mount['name']}", mount["name"] in volumes.keys() | claimed)
        security = container["securityContext"]
        check("no container can gain privileges", security["allowPrivilegeEscalation"] is False)
        check("each container is read-only", security["readOnlyRootFilesystem"] is True)
        check("no container has capabilities", security["capabilities"] == {"drop": ["ALL"]})
        check("each container has a bound of memory", "memory" in container["resources"]["limits"])
    check("no pod runs as root", pod["securityContext"]["runAsNonRoot"] is True)
    used = {v["secret"]["secretName"] for v in volumes.values() if "secret" in v}
    for container in pod["containers"]:
        used |= {of["valueFrom"]["secretKeyRef"]["name"] for of in container.get("env", [])}
    if secrets:
        check(f"each secret that is used is described: {used}", used <= secrets)
    return pod


def kubernetes(files: list[Path], beside: list[Path], kinds_beside: list[str]) -> None:
    objects, store = read(files), read(beside)
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
    secrets = {made["metadata"]["name"] for made in objects + store if made["kind"] == "Secret"}
    pod = pods(kinds["Deployment"], secrets)
    ports = {port["name"] for container in pod["containers"] for port in container["ports"]}
    for port in kinds["Service"]["spec"]["ports"]:
        check(f"the Service's port {port['targetPort']} is one of the container", port["targetPort"] in ports)
    server = next(container for container in pod["containers"] if "livenessProbe" in container)
    check("liveness asks /healthz", server["livenessProbe"]["httpGet"]["path"] == "/healthz")
    check("readiness asks /readyz", server["readinessProbe"]["httpGet"]["path"] == "/readyz")
    arguments = server["args"]

    def seconds(flag: str) -> int:
        return int(arguments[arguments.index(flag) + 1])

    grace = pod["terminationGracePeriodSeconds"]
    check("a pod is killed after its drain", grace > seconds("--drain-delay") + seconds("--drain"))
    if store:
        shared(store, kinds["Deployment"], secrets)


def shared(objects: list[dict[str, Any]], deployment: dict[str, Any], secrets: set[str]) -> None:
    """The store of the replicas, and how many of them there are."""
    kinds = {made["kind"]: made for made in objects if made["kind"] != "NetworkPolicy"}
    store = kinds["StatefulSet"]
    labels = store["spec"]["template"]["metadata"]["labels"].items()
    service = kinds["Service"]
    check("the Service of the store selects its pods", service["spec"]["selector"].items() <= labels)
    pod = pods(store, secrets)
    check("the store is the only one", store["spec"]["replicas"] == 1)
    ports = {port["name"]: port["containerPort"] for port in pod["containers"][0]["ports"]}
    check("the store is where its users expect it", service["spec"]["ports"][0]["port"] == ports["store"] == 6379)
    policies = [made["spec"] for made in objects if made["kind"] == "NetworkPolicy"]
    guard = next(spec for spec in policies if spec["podSelector"]["matchLabels"].items() <= labels)
    replicas = deployment["spec"]["template"]["metadata"]["labels"]
    allowed = [peer["podSelector"]["matchLabels"] for peer in guard["ingress"][0]["from"]]
    check("replicas reach the store, and nobody else does", allowed == [replicas] and "egress" not in guard)
    way = next(spec for spec in policies if spec is not guard)
    check("replicas may ask the store", way["podSelector"]["matchLabels"] == replicas)
    scaler = kinds["HorizontalPodAutoscaler"]["spec"]
    target = scaler["scaleTargetRef"]
    named = (deployment["kind"], deployment["metadata"]["name"])
    check("the autoscaler scales the Deployment", (target["kind"], target["name"]) == named)
    check("it may never have fewer than two", scaler["minReplicas"] >= 2)
    metric = scaler["metrics"][0]["pods"]["metric"]["name"]
    documented = (PLACE.parent / "docs" / "observability.md").read_text()
    check(f"{metric} is a metric that the server has", f"| `{metric}` | gauge |" in documented)
    prometheus = YAML.load(PLACE / "prometheus" / "adapter.yaml")
    series = [rule["seriesQuery"] for rule in prometheus["rules"]["custom"]]
    check("the adapter tells Kubernetes of it", any(query.startswith(metric + "{") for query in series))
    scrape = YAML.load(PLACE / "prometheus" / "scrape.yaml")["scrape_configs"][0]["relabel_configs"]
    given = {rule["target_label"] for rule in scrape if "target_label" in rule}
    check("Prometheus names namespace and pod", given == {"namespace", "pod"})


def rights() -> None:
    """The user of the store may do what the page says is needed."""
    page = (PLACE.parent / "docs" / "scaling.md").read_text().splitlines()
    needed = next(line for line in page if line.startswith("ACL SETUSER")).replace("my-server", "pymcp").split()[5:]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([PLACE / "store" / "secrets", f"{folder}/store", f"{folder}/replicas"], check=True)
        users = Path(folder, "store", "users.acl").read_text()
        given = users.splitlines()[1].split()
        check(f"the user of the store has its rights: {needed}", set(needed) <= set(given))
        url = Path(folder, "replicas", "store.url").read_text()
        check("the store knows no password", url.split(":")[2].split("@")[0] not in users)


if PLACE.is_file():
    # What `pymcp new` writes, whose head says how the secret is made.
    kubernetes([PLACE], [], [])
else:
    for project in sorted(PLACE.glob("compose*.yaml")):
        compose(project)
    folders = [PLACE / "kubernetes", PLACE / "kubernetes" / "store"]
    kubernetes(*(sorted(folder.glob("*.yaml*")) for folder in folders), ["Secret"])
    rights()
    image = (PLACE / "Dockerfile").read_text()
    check("the image can use a store", "--features redis" in image)
