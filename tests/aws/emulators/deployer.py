"""Make what an administrator makes before the rehearsal: the IAM user who deploys, whose access key is printed as JSON, and the boundary of its roles.

Root has no access entry on AWS, so nobody works as root here.
"""

from __future__ import annotations

import json

import boto3

NAME = "deployer"
BOUNDARY = "polls-rehearsal-boundary"  # of inventories/rehearsal

if __name__ == "__main__":
    iam = boto3.client("iam")
    iam.create_user(UserName=NAME)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.put_user_policy(UserName=NAME, PolicyName="all", PolicyDocument=json.dumps(document))
    iam.create_policy(PolicyName=BOUNDARY, PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=NAME)["AccessKey"]
    print(json.dumps({"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}))
