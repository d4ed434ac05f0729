#!/usr/bin/env -S python3 -S -E
"""Answer like minikube v1.38.1 did when it was recorded, from a state that the calls change."""

import json
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
RECORDED = {call["name"]: call for call in map(json.loads, (HERE / "recorded.jsonl").read_text(encoding="utf-8").splitlines())}
STATUS = {
    "running": "21-status-running",
    "stopped": "68-status-stopped",
    "paused": "65b-status-paused",
    "kubelet": "66-status-kubelet-stopped",
    "interrupted": "98b-status",
    "gone": "80-status-container-gone",
    "failed": "81b-status",
}
PROFILE_STATUS = {"stopped": "Stopped", "interrupted": "Starting", "gone": "", "absent": ""}
# As fake_api.py has it.
EMPTIED = 'apiVersion: v1\nclusters: null\ncontexts: null\ncurrent-context: ""\nkind: Config\npreferences: {}\nusers: null\n'
START = {
    "absent": "20-start-first",
    "running": "29-start-again-same",
    "kubelet": "29-start-again-same",
    "silent": "29-start-again-same",
    "worker-gone": "29-start-again-same",
    "paused": "29-start-again-same",
    "stopped": "75-start-after-stop",
    "interrupted": "98d-start-resume",
    "failed": "98d-start-resume",
    "gone": "81-start-container-gone",
}


class Minikube:
    """One call."""

    def __init__(self, words: list[str]) -> None:
        self.flags = [word for word in words if word.startswith("--")]
        self.words = [word for word in words if not word.startswith("--")]
        self.profile = self.flag("profile")
        self.directory = Path(os.environ["MINIKUBE_HOME"]) / ".minikube" / "profiles" / self.profile
        self.replay = Path(os.environ["REPLAY"])
        self.file = self.replay / "state.json"
        self.state = json.loads(self.file.read_text(encoding="utf-8"))

    def flag(self, name: str) -> str:
        """Return the value of an option, "" when it is not given."""
        return next((word.partition("=")[2] for word in self.flags if word.startswith(f"--{name}=")), "")

    def size(self, name: str, own: int) -> int:
        """Return the number that an option gives; where it leaves it to minikube, ``own``."""
        return own if self.flag(name) in ("", "max", "no-limit") else int(self.flag(name))

    def say(self, name: str, change: dict[str, str] | None = None) -> int:
        """Print a recorded answer, and return its exit code."""
        call = RECORDED[name]
        for stream, text in ((sys.stdout, call["stdout"]), (sys.stderr, call["stderr"])):
            for old, new in (change or {}).items():
                text = text.replace(old, new)
            stream.write(text.replace('"minikube"', f'"{self.profile}"').replace('\\"minikube\\"', f'\\"{self.profile}\\"'))
        return call["exit"]

    def turn(self, state: str) -> None:
        """Take on another state."""
        self.state["state"] = state
        self.file.write_text(json.dumps(self.state), encoding="utf-8")

    def run(self) -> int:
        """Do what the words say, and return the exit code."""
        return getattr(self, "_".join(self.words[:2] if self.words[0] in ("profile", "addons", "image", "service") else self.words[:1]))()

    # --- Calls that change nothing ---------------------------------------------

    def profile_list(self) -> int:
        if self.state["state"] == "absent":
            return self.say("01-profile-list-none")
        item = {"Name": self.profile, "Status": PROFILE_STATUS.get(self.state["state"], "OK"), "Config": self.state["config"]}
        kind = "invalid" if self.state["state"] == "damaged" else "valid"
        print(json.dumps({"invalid": [], "valid": []} | {kind: [item]}))
        return 0

    def status(self) -> int:
        if self.state["state"] == "silent":
            self.say("21-status-running", {'"APIServer":"Running"': '"APIServer":"Stopped"'})
            return 2
        if self.state["state"] == "worker-gone":
            return self.status_of_two(self.flag("node"))
        return self.say(STATUS.get(self.state["state"], "02b-status-none-p"))

    def status_of_two(self, node: str) -> int:
        """Answer for two nodes of which the worker's container was removed: nothing at all, unless one is asked for."""
        if node == self.profile:
            return self.say("21-status-running")
        if not node:
            return self.say("80-status-container-gone")
        print(json.dumps(dict.fromkeys(("Host", "Kubelet", "APIServer", "Kubeconfig"), "Nonexistent") | {"Name": node, "Worker": True}))
        return 7

    def addons_list(self) -> int:
        names = json.loads(RECORDED["25-addons-list"]["stdout"])
        on = self.state["addons"] if self.state["state"] != "absent" else []
        print(json.dumps({name: {"Profile": self.profile, "Status": "enabled" if name in on else "disabled"} for name in names}))
        return 0

    def image_ls(self) -> int:
        if self.state["state"] == "absent":
            return self.say("06-image-ls-none")
        if self.state["state"] != "running":
            return self.say("73-image-ls-stopped")
        own = [image for image in json.loads(RECORDED["26-image-ls"]["stdout"]) if not set(image["repoTags"]) & set(self.state["images"])]
        loaded = [{"id": f"sha256:{key}", "repoDigests": [], "repoTags": [name], "size": "1"} for name, key in self.state["images"].items()]
        print(json.dumps(own + loaded))
        return 0

    def ip(self) -> int:
        return self.say({"running": "24-ip", "absent": "05-ip-none"}.get(self.state["state"], "70-ip-stopped"))

    def service_list(self) -> int:
        return self.say("52-service-list-nodeport" if self.state["state"] == "running" else "74-service-list-stopped")

    # --- Calls that change something --------------------------------------------

    def start(self) -> int:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "events.json").touch()
        if self.state.get("start") == ["early"]:
            self.turn(self.state["state"])
            return self.say("63-start-older-k8s")
        (self.directory / "config.json").touch()
        order = self.state.get("start", [])
        what = order.pop(0) if order else ""
        config, before = self.state["config"], self.state["state"]
        if what == "hang":
            print(RECORDED["98-start-interrupted"]["stdout"], flush=True)
            self.turn("interrupted")
            time.sleep(60)
        if what:  # the name of a recorded failure, and the state after it
            name, _, state = what.partition(" ")
            self.turn(state)
            return self.say(name)
        new = before == "absent"
        kubernetes = config["KubernetesConfig"]
        version = self.flag("kubernetes-version") or kubernetes["KubernetesVersion"]
        if not new:
            if self.flag("driver") not in ("", config["Driver"]):
                return self.say("61-start-other-driver")
            if version < kubernetes["KubernetesVersion"]:
                return self.say("63-start-older-k8s")
            if self.flag("container-runtime") not in ("", self.state["runtime"]):
                kubernetes["ContainerRuntime"] = self.flag("container-runtime")
                self.turn("kubelet")
                return self.say("62-start-other-runtime")
            if before == "gone":
                self.turn("failed")
                return self.say("81-start-container-gone")
        else:
            self.state["addons"] = ["default-storageclass", "storage-provisioner"]
            config |= {"Driver": self.flag("driver") or "docker", "Memory": self.size("memory", 6000), "CPUs": self.size("cpus", 2)}
            kubernetes["CNI"] = self.flag("cni")
            config["RegistryMirror"] = [word.partition("=")[2] for word in self.flags if word.startswith("--registry-mirror=")]
            self.state["runtime"] = self.flag("container-runtime") or "docker"
        kubernetes |= {"KubernetesVersion": version, "ContainerRuntime": self.state["runtime"]}
        if any(word.startswith("--feature-gates=") for word in self.flags):
            kubernetes["FeatureGates"] = self.flag("feature-gates")
        options = [word.removeprefix("--extra-config=") for word in self.flags if word.startswith("--extra-config=")]
        if options:
            parts = [(*option.partition("=")[0].partition("."), option.partition("=")[2]) for option in options]
            kubernetes["ExtraOptions"] = [{"Component": part[0], "Key": part[2], "Value": part[3]} for part in parts]
        server = "https://192.168.49.2:8443"
        content = {"clusters": [{"name": self.profile, "cluster": {"server": server}}], "contexts": [], "current-context": self.profile}
        Path(os.environ["KUBECONFIG"]).write_text(json.dumps(content), encoding="utf-8")
        self.turn("running")
        return self.say(START[before])

    def stop(self) -> int:
        name = "67b-stop-again" if self.state["state"] == "stopped" else "67-stop"
        kubeconfig = Path(os.environ["KUBECONFIG"])
        if kubeconfig.exists():  # it takes its context out (DeleteContext in pkg/minikube/kubeconfig); here there never is another
            kubeconfig.write_text(EMPTIED, encoding="utf-8")
        self.turn("stopped")
        return self.say(name)

    def unpause(self) -> int:
        self.turn("running")
        return self.say("65c-unpause")

    def delete(self) -> int:
        name = "08b-delete-none-json" if self.state["state"] == "absent" else "82-delete"
        if self.directory.exists():
            for path in self.directory.iterdir():
                path.unlink()
            self.directory.rmdir()
        self.state |= {"addons": [], "images": {}}
        self.turn("absent")
        return self.say(name)

    def addons_enable(self) -> int:
        name = self.words[2]
        if name not in json.loads(RECORDED["25-addons-list"]["stdout"]):
            return self.say("54c-addons-enable-bad", {"nosuchaddon": name})
        self.state["addons"] = sorted({*self.state["addons"], name})
        self.turn(self.state["state"])
        return self.say("54b-addons-enable-ms-again", {"metrics-server": name})

    def addons_disable(self) -> int:
        self.state["addons"] = [addon for addon in self.state["addons"] if addon != self.words[2]]
        self.turn(self.state["state"])
        return self.say("55-addons-disable", {"metrics-server": self.words[2]})

    def image_load(self) -> int:
        archive = Path(self.words[2])
        if self.state["state"] == "running" and archive.exists() and not self.state.get("deaf"):
            import tarfile  # most calls do without, and it takes longer than they do

            with tarfile.open(archive) as content:
                manifest = json.load(content.extractfile("manifest.json"))[0]
            self.state["images"][manifest["RepoTags"][0]] = manifest["Config"].removesuffix(".json")
            self.turn("running")
        return self.say("51c-image-load-missing-json")


def main(words: list[str]) -> int:
    """Note a call, answer it, and return its exit code."""
    call = Minikube(words)
    with (call.replay / "calls").open("a", encoding="utf-8") as calls:
        calls.write(json.dumps(words) + "\n")
    return call.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
