"""Print the value of a parameter in a parameter group of RDS; nothing where it has none.

Usage: parameter.py REGION GROUP NAME
"""

import sys

import boto3

region, group, name = sys.argv[1:]
pages = boto3.client("rds", region_name=region).get_paginator("describe_db_parameters").paginate(DBParameterGroupName=group)
print(next((parameter.get("ParameterValue", "") for page in pages for parameter in page["Parameters"] if parameter["ParameterName"] == name), ""))
