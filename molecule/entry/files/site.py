#!/usr/bin/env python3
"""Serve polls.entry.test as a load balancer of an emulated AWS would, or end that: ``site.py start SUBNETS`` or ``site.py stop``.

What it serves is a directory of files, for the app is not the role's.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tests" / "aws"))
import emulated
import emulated_site

PORT = 30089
SITE = emulated_site.Site("polls.entry.test", "entry.test", "127.0.0.81", f"http://127.0.0.1:{PORT}")
CLUSTER = "polls-entry"


def start(subnets: list[str]) -> None:
    """Serve the site, for Ingresses of a cluster of EKS in these subnets."""
    instance = emulated.Instance("molecule-entry")
    environment = os.environ | instance.environment()
    os.environ |= environment
    eks, iam = (boto3.client(service, region_name=emulated.REGION) for service in ("eks", "iam"))
    if CLUSTER not in eks.list_clusters()["clusters"]:
        trusted = {"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
        role = iam.create_role(RoleName=CLUSTER, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trusted]}))
        eks.create_cluster(name=CLUSTER, roleArn=role["Role"]["Arn"], resourcesVpcConfig={"subnetIds": subnets})
    pages = instance.directory / "pages"
    pages.mkdir(exist_ok=True)
    (pages / "index.html").write_text("<title>Polls</title>", encoding="utf-8")
    serve = [sys.executable, "-m", "http.server", str(PORT), "--bind", "127.0.0.1", "--directory", str(pages)]
    emulated.launch(instance, "pages", serve, environment)
    emulated_site.start(instance, SITE, instance.directory / "kubeconfig", CLUSTER, instance.directory)


if __name__ == "__main__":
    if sys.argv[1] == "start":
        start(sys.argv[2].split(","))
    else:
        emulated_site.forget(SITE)
        emulated.stop(emulated.Instance("molecule-entry"))
