"""Print a repository of ECR as JSON: itself, its lifecycle policy, its tags and its images; {} where there is none.

Usage: described.py REGION NAME
"""

import json
import sys

import boto3

region, name = sys.argv[1:]
ecr = boto3.client("ecr", region_name=region)
try:
    repository = ecr.describe_repositories(repositoryNames=[name])["repositories"][0]
except ecr.exceptions.RepositoryNotFoundException:
    print("{}")
    sys.exit()
policy = json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
tags = {tag["Key"]: tag["Value"] for tag in ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]}
images = ecr.describe_images(repositoryName=name)["imageDetails"]
print(json.dumps({"repository": repository, "policy": policy, "tags": tags, "images": images}, default=str))
