"""The IAM policies of a deployer allow all that Berth does for its environment, and no way to anything else in the account."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.berth.platform.plugins.module_utils.aws import preflight as looking
from ansible_collections.berth.platform.plugins.plugin_utils import iam
from iam_evaluator import Context, Request, allowed

FILES = Path(__file__).resolve().parents[2] / "roles/eks/files"
ACCOUNT, REGION, NAME, ENVIRONMENT = "123456789012", "eu-central-1", "polls-prod", "prod"
ZONE = "Z0123456789ABC"
GIVEN: dict[str, Any] = {
    "environment": ENVIRONMENT, "name": NAME, "account": ACCOUNT, "region": REGION, "repository": "polls",
    "identities": [{"namespace": "polls", "service_account": "mail", "policies": ["AmazonSESFullAccess"]}],
    "addons": {"aws-ebs-csi-driver": ""}, "vpc": {"id": "vpc-1", "private_subnet_ids": ["subnet-1", "subnet-2"]}, "zone": ZONE,
    "snapshot": "shop-prod-final-20261128163316",
}  # fmt: skip
LONGEST = 6144  # characters of a managed policy, without white space: docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html


def filled(file: str, **more: Any) -> dict[str, dict[str, Any]]:
    """Return the policies of a file, filled in for an environment."""
    return iam.policies((FILES / file).read_text(encoding="utf-8"), iam.names(**GIVEN | more))


POLICIES = filled("iam_policies.json")
BOUNDARY = filled("iam_boundary.json")["boundary"]


# --- Requests --------------------------------------------------------------------------------------------------------
def arn(service: str, rest: str) -> str:
    """Return the ARN of something in the account."""
    return f"arn:aws:{service}:{'' if service in ('iam', 'route53') else REGION}:{'' if service == 'route53' else ACCOUNT}:{rest}"


def tags(key: str, environment: str = ENVIRONMENT, name: str = NAME) -> dict[str, str]:
    """Return the owner's tags, of a resource (ResourceTag) or of a request (RequestTag)."""
    return {f"aws:{key}/berth:environment": environment, f"aws:{key}/berth:name": name}


HERE = {"aws:RequestedRegion": REGION}
OWN = HERE | tags("ResourceTag")
NEW: Context = HERE | tags("RequestTag") | {"aws:TagKeys": ["berth:environment", "berth:name", "Name"]}
ALIKE = HERE | tags("ResourceTag", "prod-eu", "polls-prod-eu")
"""Of an environment whose name begins like this one's."""
BY_AWS = HERE | {"aws:ViaAWSService": "true"}
BOUND = arn("iam", f"policy/{NAME}-boundary")
LISTED = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
SECRET = arn("secretsmanager", "secret:rds!db-24586bc3-c4b8-4450-a901-6a9523924373-MgxZnn")
MASTER = "aws:ResourceTag/aws:rds:primaryDBInstanceArn"
DATABASE = arn("rds", f"db:{NAME}")
RESTORED = arn("rds", f"db:{NAME}-r01")
MADE = (f"db:{NAME}-r01", f"subgrp:{NAME}", f"pg:{NAME}-postgres17", "og:default:postgres-17")
BACKUP = f"snapshot:{NAME}-backup-20270327120000"
PURPOSE = {"aws:ResourceTag/berth:purpose": "backup"}
KEY = arn("kms", "key/7fdd7dcb-26ec-46da-bede-9591840ae183")
ALIAS = {"kms:ResourceAliases": [f"alias/{NAME}"]}


def ec2(kind: str) -> str:
    """Return the ARN of a resource of EC2."""
    return arn("ec2", f"{kind}/{kind}-1")


def role(name: str = "cluster") -> str:
    """Return the ARN of a role of the environment."""
    return arn("iam", f"role/{NAME}-{name}")


def one(action: str, resource: str = "*", *contexts: Context) -> Request:
    """Return a request for one resource."""
    context: dict[str, Any] = {}
    for more in contexts:
        context |= more
    return action, [(resource, context)]


def each(service: str, operations: str, resource: str = "*", *contexts: Context) -> list[Request]:
    """Return a request for each of the operations that are named."""
    return [one(f"{service}:{operation}", resource, *contexts) for operation in operations.split()]


# --- What Berth does -------------------------------------------------------------------------------------------------
# From its modules, amazon.aws's, and what AWS does in the caller's name; scripts/aws-policy has the same by action.
USES: list[Request] = [
    *each("ec2", """DescribeAccountAttributes DescribeAddresses DescribeAvailabilityZones DescribeInstanceTypeOfferings DescribeInstanceTypes
        DescribeInstances DescribeInternetGateways DescribeLaunchTemplateVersions DescribeLaunchTemplates DescribeNatGateways DescribeNetworkInterfaces
        DescribeRegions DescribeRouteTables DescribeSecurityGroups DescribeSubnets DescribeTags DescribeVolumes DescribeVpcAttribute DescribeVpcEndpoints
        DescribeVpcs""", "*", HERE),
    *each("elasticloadbalancing", "DescribeLoadBalancers DescribeTags", "*", HERE),
    *each("eks", "ListClusters DescribeClusterVersions DescribeAddonVersions", "*", HERE),
    *each("rds", """DescribeDBEngineVersions DescribeDBInstanceAutomatedBackups DescribeDBInstances DescribeDBParameterGroups DescribeDBParameters
        DescribeDBSnapshots DescribeDBSubnetGroups DescribeOrderableDBInstanceOptions""", "*", HERE),
    *each("iam", "ListRoles ListOpenIDConnectProviders"),
    one("servicequotas:GetServiceQuota", "*", HERE),
    one("ecr:GetAuthorizationToken", "*", HERE),
    one("logs:DescribeLogGroups", "*", HERE),
    one("secretsmanager:ListSecrets", "*", HERE),
    one("iam:ListOpenIDConnectProviderTags", arn("iam", "oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/1")),
    one("iam:SimulatePrincipalPolicy", arn("iam", "role/deployer")),
    one("iam:GetPolicy", BOUND),
    # The network: each thing is asked for with its tags, and where it goes with those that are on that.
    *(one(f"ec2:{operation}", arn("ec2", f"{kind}/*"), NEW) for operation, kind in (
        ("CreateVpc", "vpc"), ("CreateInternetGateway", "internet-gateway"), ("AllocateAddress", "elastic-ip"), ("CreateLaunchTemplate", "launch-template"),
    )),
    *((f"ec2:{operation}", [(arn("ec2", f"{kind}/*"), NEW), *((ec2(other), OWN) for other in others)]) for operation, kind, others in (
        ("CreateSubnet", "subnet", ("vpc",)), ("CreateRouteTable", "route-table", ("vpc",)), ("CreateSecurityGroup", "security-group", ("vpc",)),
        ("CreateNatGateway", "natgateway", ("subnet", "elastic-ip")), ("CreateVpcEndpoint", "vpc-endpoint", ("vpc", "route-table")),
        ("CreateVpcEndpoint", "vpc-endpoint", ("vpc", "subnet", "security-group")),
    )),
    ("ec2:CreateSecurityGroup", [(arn("ec2", "security-group/*"), NEW), (arn("ec2", "vpc/vpc-1"), HERE)]),  # in somebody else's VPC
    *(one("ec2:CreateTags", arn("ec2", f"{kind}/*"), NEW, {"ec2:CreateAction": operation}) for operation, kind in (
        ("CreateVpc", "vpc"), ("CreateSubnet", "subnet"), ("CreateInternetGateway", "internet-gateway"), ("CreateNatGateway", "natgateway"),
        ("CreateRouteTable", "route-table"), ("CreateVpcEndpoint", "vpc-endpoint"), ("AllocateAddress", "elastic-ip"),
        ("CreateSecurityGroup", "security-group"), ("CreateLaunchTemplate", "launch-template"),
    )),
    *((f"ec2:{operation}", [(ec2(kind), OWN) for kind in kinds.split()]) for operation, kinds in (
        ("AttachInternetGateway", "internet-gateway vpc"), ("DetachInternetGateway", "internet-gateway vpc"), ("AssociateRouteTable", "route-table subnet"),
        ("ReplaceRouteTableAssociation", "route-table subnet"), ("DisassociateRouteTable", "route-table subnet"), ("CreateRoute", "route-table"),
        ("ReplaceRoute", "route-table"), ("DeleteRoute", "route-table"), ("ModifySubnetAttribute", "subnet"), ("ModifyVpcAttribute", "vpc"),
        ("ModifyVpcEndpoint", "vpc-endpoint route-table"), ("RevokeSecurityGroupIngress", "security-group"), ("RevokeSecurityGroupEgress", "security-group"),
        ("UpdateSecurityGroupRuleDescriptionsIngress", "security-group"), ("CreateLaunchTemplateVersion", "launch-template"),
        ("ModifyLaunchTemplate", "launch-template"), ("DeleteLaunchTemplate", "launch-template"), ("DeleteInternetGateway", "internet-gateway"),
        ("DeleteNatGateway", "natgateway"), ("DeleteRouteTable", "route-table"), ("DeleteSecurityGroup", "security-group"), ("DeleteSubnet", "subnet"),
        ("DeleteVpc", "vpc"), ("DeleteVpcEndpoints", "vpc-endpoint"), ("ReleaseAddress", "elastic-ip"),
    )),
    ("ec2:AuthorizeSecurityGroupIngress", [(ec2("security-group"), OWN), (arn("ec2", "security-group-rule/*"), HERE)]),
    one("ec2:CreateTags", ec2("subnet"), OWN, {"aws:RequestTag/team": "web", "aws:TagKeys": ["team"]}),
    one("ec2:CreateTags", ec2("launch-template"), OWN, NEW),
    one("ec2:DeleteTags", ec2("security-group"), OWN, {"aws:TagKeys": ["team"]}),
    *(one(f"ec2:{operation}", ec2("security-group"), HERE, {f"aws:ResourceTag/{key}": value})
      for operation in ("DeleteSecurityGroup", "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress") for key, value in (
          ("aws:eks:cluster-name", NAME), ("eks:eks-cluster-name", NAME), ("elbv2.k8s.aws/cluster", NAME), (f"kubernetes.io/cluster/{NAME}", "owned"),
    )),
    *(one("ec2:DeleteNetworkInterface", ec2("network-interface"), HERE, {f"aws:ResourceTag/{key}": NAME})
      for key in ("cluster.k8s.amazonaws.com/name", "eks:eks-cluster-name")),
    ("ec2:RunInstances", [(arn("ec2", f"{kind}/*"), BY_AWS) for kind in ("instance", "volume", "network-interface")] + [(ec2("subnet"), BY_AWS | OWN)]),
    one("ec2:CreateTags", arn("ec2", "instance/*"), BY_AWS, {"ec2:CreateAction": "RunInstances", "aws:RequestTag/eks:cluster-name": NAME}),
    # The cluster
    *each("eks", """CreateCluster DescribeCluster DeleteCluster UpdateClusterConfig UpdateClusterVersion AssociateEncryptionConfig CreateAccessEntry CreateAddon
        CreateNodegroup CreatePodIdentityAssociation ListAccessEntries ListAddons ListInsights ListNodegroups ListPodIdentityAssociations DescribeInsight
        DescribeUpdate TagResource UntagResource""", arn("eks", f"cluster/{NAME}"), HERE),
    *each("eks", "DescribeNodegroup DeleteNodegroup UpdateNodegroupConfig UpdateNodegroupVersion TagResource", arn("eks", f"nodegroup/{NAME}/{NAME}/1"), HERE),
    *each("eks", "DescribeAddon DeleteAddon UpdateAddon TagResource", arn("eks", f"addon/{NAME}/coredns/1"), HERE),
    *each("eks", """DescribeAccessEntry DeleteAccessEntry UpdateAccessEntry AssociateAccessPolicy DisassociateAccessPolicy ListAssociatedAccessPolicies
        TagResource""", arn("eks", f"access-entry/{NAME}/user/{ACCOUNT}/deployer/1"), HERE),
    *each("eks", "DescribePodIdentityAssociation DeletePodIdentityAssociation UpdatePodIdentityAssociation",
          arn("eks", f"podidentityassociation/{NAME}/a-1"), HERE),
    *each("logs", "CreateLogGroup DeleteLogGroup ListTagsLogGroup PutRetentionPolicy TagLogGroup TagResource UntagLogGroup",
          arn("logs", f"log-group:/aws/eks/{NAME}/cluster"), HERE),
    # Roles: made bounded, and those of an earlier Berth bounded by the next run
    *(one("iam:CreateRole", role(name), NEW, {"iam:PermissionsBoundary": BOUND}) for name in ("cluster", "node", "node-group", "polls-mail")),
    *each("iam", "GetRole ListAttachedRolePolicies ListInstanceProfilesForRole ListRolePolicies", role("node")),
    one("iam:TagRole", role(), NEW),
    one("iam:TagRole", role(), OWN, {"aws:RequestTag/team": "web", "aws:TagKeys": ["team"]}),
    one("iam:UntagRole", role(), OWN, {"aws:TagKeys": ["team"]}),
    one("iam:PutRolePermissionsBoundary", role("node"), OWN, {"iam:PermissionsBoundary": BOUND}),
    *(one("iam:AttachRolePolicy", role(), OWN, {"iam:PermissionsBoundary": BOUND, "iam:PolicyARN": f"arn:aws:iam::aws:policy/{policy}"}) for policy in (
        "AmazonEKSClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy",
        "AmazonEKSWorkerNodeMinimalPolicy", "AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryPullOnly",
        "service-role/AmazonEBSCSIDriverPolicy", "AmazonSESFullAccess",
    )),
    *(one("iam:DetachRolePolicy", role(), OWN, bounds, {"iam:PolicyARN": "arn:aws:iam::aws:policy/NoLongerInTheInventory"})
      for bounds in ({}, {"iam:PermissionsBoundary": BOUND})),
    *each("iam", "DeleteRole UpdateRole UpdateAssumeRolePolicy", role(), OWN),
    one("iam:RemoveRoleFromInstanceProfile", arn("iam", "instance-profile/eks-eu-central-1-polls-prod-1"), {"aws:ResourceTag/eks:eks-cluster-name": NAME}),
    one("iam:PassRole", role(), {"iam:PassedToService": "eks.amazonaws.com"}),
    one("iam:PassRole", role("node"), {"iam:PassedToService": "ec2.amazonaws.com"}),
    one("iam:PassRole", role("polls-mail"), {"iam:PassedToService": "pods.eks.amazonaws.com"}),
    one("iam:CreateServiceLinkedRole", arn("iam", "role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"),
        {"iam:AWSServiceName": "eks.amazonaws.com"}),
    # The key
    one("kms:CreateKey", "*", NEW),
    one("kms:TagResource", arn("kms", "key/*"), NEW),
    one("kms:ListAliases", "*", HERE),
    one("kms:CreateAlias", arn("kms", f"alias/{NAME}"), HERE),
    one("kms:CreateAlias", KEY, OWN),
    *each("kms", """CreateGrant DescribeKey EnableKey EnableKeyRotation CancelKeyDeletion GetKeyPolicy GetKeyRotationStatus ListGrants ListKeyPolicies
        ListResourceTags ScheduleKeyDeletion UpdateKeyDescription""", KEY, OWN, ALIAS),
    one("kms:TagResource", KEY, OWN, NEW, ALIAS),
    one("kms:UntagResource", KEY, OWN, {"aws:TagKeys": ["team"]}),
    one("kms:CreateGrant", arn("kms", "key/of-rds"), HERE, {"kms:GrantIsForAWSResource": "true", "kms:ViaService": "rds.eu-central-1.amazonaws.com"}),
    # Images and the database
    *each("ecr", """BatchCheckLayerAvailability BatchGetImage CompleteLayerUpload CreateRepository DeleteRepository DescribeRepositories GetDownloadUrlForLayer
        GetLifecyclePolicy InitiateLayerUpload ListTagsForResource PutImage PutImageScanningConfiguration PutImageTagMutability PutLifecyclePolicy TagResource
        UntagResource UploadLayerPart""", arn("ecr", "repository/polls"), HERE),
    ("rds:CreateDBInstance", [(arn("rds", part), HERE) for part in (f"db:{NAME}", f"subgrp:{NAME}", f"pg:{NAME}-postgres17", "og:default:postgres-17")]),
    ("rds:DeleteDBInstance", [(DATABASE, HERE), (arn("rds", f"snapshot:{NAME}-final-20261128163316"), HERE)]),
    ("rds:ModifyDBInstance", [(DATABASE, HERE), (arn("rds", f"pg:{NAME}-postgres18"), HERE)]),
    ("rds:CreateDBSnapshot", [(DATABASE, HERE), (arn("rds", f"snapshot:{NAME}-final-20261128163316"), HERE)]),
    ("rds:CreateDBSnapshot", [(DATABASE, HERE), (arn("rds", BACKUP), HERE)]),
    *(("rds:RestoreDBInstanceFromDBSnapshot", [(arn("rds", part), HERE) for part in (f"db:{NAME}", f"subgrp:{NAME}", f"pg:{NAME}-postgres17", snapshot)])
      for snapshot in (BACKUP, f"snapshot:{NAME}-final-20261128163316", "snapshot:shop-prod-final-20261128163316")),
    # A restore: any snapshot with the environment's tags, and a point in time, into another instance
    *(("rds:RestoreDBInstanceFromDBSnapshot", [*((arn("rds", part), HERE) for part in MADE), (arn("rds", f"snapshot:{snapshot}"), OWN)])
      for snapshot in (f"rds:{NAME}-2027-03-27-02-07", "before-easter")),
    ("rds:RestoreDBInstanceToPointInTime", [(arn("rds", part), HERE) for part in (f"db:{NAME}", *MADE)]),
    *each("rds", "ModifyDBInstance DeleteDBInstance CreateDBSnapshot AddTagsToResource ListTagsForResource RemoveTagsFromResource", RESTORED, HERE),
    one("secretsmanager:GetSecretValue", SECRET, HERE, {MASTER: RESTORED}),
    one("rds:AddTagsToResource", arn("rds", BACKUP), HERE),
    one("rds:DeleteDBSnapshot", arn("rds", BACKUP), OWN, PURPOSE),
    *each("rds", "CreateDBSubnetGroup DeleteDBSubnetGroup ModifyDBSubnetGroup", arn("rds", f"subgrp:{NAME}"), HERE),
    *each("rds", "CreateDBParameterGroup DeleteDBParameterGroup ModifyDBParameterGroup ResetDBParameterGroup", arn("rds", f"pg:{NAME}-postgres17"), HERE),
    *each("rds", "AddTagsToResource ListTagsForResource RemoveTagsFromResource", DATABASE, HERE),
    *each("secretsmanager", "CreateSecret TagResource", SECRET, BY_AWS),
    *each("secretsmanager", "GetSecretValue DescribeSecret", SECRET, HERE, {MASTER: DATABASE}),
    # The public entry
    *each("acm", "ListCertificates", "*", HERE),
    *each("acm", "DescribeCertificate ListTagsForCertificate", arn("acm", "certificate/1"), HERE),
    one("acm:RequestCertificate", "*", NEW, {"acm:DomainNames": ["polls.example.com"]}),
    one("acm:AddTagsToCertificate", arn("acm", "certificate/1"), OWN, {"aws:RequestTag/team": "web"}),
    one("acm:RemoveTagsFromCertificate", arn("acm", "certificate/1"), OWN, {"aws:TagKeys": ["team"]}),
    one("acm:DeleteCertificate", arn("acm", "certificate/1"), OWN),
    one("route53:ListHostedZones"),
    *each("route53", "GetHostedZone ListResourceRecordSets ChangeResourceRecordSets", arn("route53", f"hostedzone/{ZONE}")),
    one("route53:GetChange", arn("route53", "change/C0123456789")),
]  # fmt: skip


@pytest.mark.parametrize("request_", USES, ids=lambda request: f"{request[0]} {request[1][0][0].rpartition(':')[2]}")
def test_the_policies_allow_what_berth_does(request_: Request) -> None:
    assert allowed(POLICIES.values(), request_)


def test_every_action_that_the_policies_allow_is_one_that_berth_uses() -> None:
    listed = {action for policy in POLICIES.values() for statement in policy["Statement"] if statement["Effect"] == "Allow" for action in statement["Action"]}
    assert listed == {action for action, _ in USES}


# --- What must not be done with it -----------------------------------------------------------------------------------
def with_boundary(action: str, resource: str, **more: str) -> Request:
    """Return a request about a role with the environment's boundary."""
    return one(action, resource, OWN, {"iam:PermissionsBoundary": BOUND}, {key.replace("__", ":"): value for key, value in more.items()})


ATTACKS: list[tuple[str, Request]] = [
    # Administration through a role
    ("make a role of another name", one("iam:CreateRole", role("x"), NEW, {"iam:PermissionsBoundary": BOUND})),
    ("make a role without bounds", one("iam:CreateRole", role(), NEW)),
    ("make a role within other bounds", one("iam:CreateRole", role(), NEW, {"iam:PermissionsBoundary": ADMIN})),
    ("make a role within bounds of its own", one("iam:CreateRole", role(), NEW, {"iam:PermissionsBoundary": arn("iam", f"policy/{NAME}-boundary-2")})),
    ("attach administration to a role", with_boundary("iam:AttachRolePolicy", role(), iam__PolicyARN=ADMIN)),
    ("attach administration of IAM", with_boundary("iam:AttachRolePolicy", role("node"), iam__PolicyARN="arn:aws:iam::aws:policy/IAMFullAccess")),
    ("attach a policy of one's own", with_boundary("iam:AttachRolePolicy", role(), iam__PolicyARN=arn("iam", "policy/AmazonEKSClusterPolicy"))),
    ("attach a policy to a role without bounds", one("iam:AttachRolePolicy", role(), OWN, {"iam:PolicyARN": LISTED})),
    ("write a policy into a role", with_boundary("iam:PutRolePolicy", role())),
    ("write a policy into a user", one("iam:PutUserPolicy", arn("iam", "user/deployer"))),
    ("attach a policy to a user", one("iam:AttachUserPolicy", arn("iam", "user/deployer"), {"iam:PolicyARN": ADMIN})),
    ("make a policy", one("iam:CreatePolicy", arn("iam", f"policy/{NAME}-more"))),
    ("rewrite the boundary", one("iam:CreatePolicyVersion", BOUND)),
    ("put an older boundary back", one("iam:SetDefaultPolicyVersion", BOUND)),
    ("delete the boundary", one("iam:DeletePolicy", BOUND)),
    ("rewrite the deployer's own policy", one("iam:CreatePolicyVersion", arn("iam", f"policy/{NAME}-identities"))),
    ("take the boundary off a role", with_boundary("iam:DeleteRolePermissionsBoundary", role())),
    ("widen the boundary of a role", one("iam:PutRolePermissionsBoundary", role(), OWN, {"iam:PermissionsBoundary": ADMIN})),
    ("assume a role", one("sts:AssumeRole", role())),
    ("assume another environment's role", one("sts:AssumeRole", arn("iam", "role/polls-prod-eu-cluster"))),
    ("make a user", one("iam:CreateUser", arn("iam", "user/x"))),
    ("make an access key", one("iam:CreateAccessKey", arn("iam", "user/admin"))),
    ("trust an identity provider", one("iam:CreateOpenIDConnectProvider", arn("iam", "oidc-provider/x"))),
    ("pass somebody else's role", one("iam:PassRole", arn("iam", "role/admin"), {"iam:PassedToService": "ec2.amazonaws.com"})),
    ("pass a role that begins alike", one("iam:PassRole", role("x"), {"iam:PassedToService": "eks.amazonaws.com"})),
    ("pass a role to another service", one("iam:PassRole", role(), {"iam:PassedToService": "lambda.amazonaws.com"})),
    ("link a role for another service", one("iam:CreateServiceLinkedRole", arn("iam", "role/aws-service-role/organizations.amazonaws.com/x"),
                                            {"iam:AWSServiceName": "organizations.amazonaws.com"})),
    ("move a role between instance profiles", one("iam:AddRoleToInstanceProfile", arn("iam", "instance-profile/eks-1"))),
    ("run code with a role", one("lambda:CreateFunction", arn("lambda", "function:x"))),
    ("make a stack", one("cloudformation:CreateStack", arn("cloudformation", "stack/x/1"))),
    ("run a command on an instance", one("ssm:SendCommand", ec2("instance"))),
    # Keys
    *((f"tag a key {words}", one("kms:TagResource", KEY, NEW, there)) for words, there in (
        ("of another environment", ALIKE), ("that has a name", HERE | {"kms:ResourceAliases": ["alias/payroll"]}),
        ("of the same environment of another app", HERE | tags("ResourceTag", ENVIRONMENT, "shop-prod")),
        ("that has one of the tags", HERE | {"aws:ResourceTag/berth:environment": "other"}),
    )),
    *((f"delete a key {words}", one("kms:ScheduleKeyDeletion", KEY, there)) for words, there in (
        ("that nobody tagged", HERE), ("of another environment", ALIKE), ("that has another name", OWN | {"kms:ResourceAliases": ["alias/payroll"]}),
        ("that was tagged and has no name", OWN), ("of the same environment of another app", HERE | tags("ResourceTag", ENVIRONMENT, "shop-prod") | ALIAS),
    )),
    ("give a key away", one("kms:TagResource", KEY, OWN, tags("RequestTag", "prod-eu", "polls-prod-eu"))),
    ("take the owner off a key", one("kms:UntagResource", KEY, OWN, {"aws:TagKeys": ["berth:name"]})),
    ("rewrite a key's policy", one("kms:PutKeyPolicy", KEY, OWN)),
    ("lead a name to another key", one("kms:UpdateAlias", KEY, OWN)),
    ("make a grant on another key", one("kms:CreateGrant", KEY, HERE, {"kms:GrantIsForAWSResource": "true"})),
    ("make a grant on a key that another service uses", one("kms:CreateGrant", KEY, ALIKE, {"kms:ViaService": "ec2.eu-central-1.amazonaws.com"})),
    ("decrypt", one("kms:Decrypt", KEY, OWN)),
    # Machines and networks
    *((f"tag a {kind} that is there", one("ec2:CreateTags", ec2(kind), NEW)) for kind in (
        "instance", "volume", "vpc", "subnet", "security-group", "network-interface", "snapshot", "route-table", "launch-template", "image",
    )),
    *((f"tag a {kind} of another environment", one("ec2:CreateTags", ec2(kind), ALIKE, NEW)) for kind in ("instance", "vpc", "security-group")),
    ("tag an instance as if it were new", one("ec2:CreateTags", ec2("instance"), NEW, {"ec2:CreateAction": "RunInstances"})),
    ("tag what is new as another's", one("ec2:CreateTags", ec2("vpc"), tags("RequestTag", "prod-eu", "polls-prod-eu"), {"ec2:CreateAction": "CreateVpc"})),
    ("give a VPC away", one("ec2:CreateTags", ec2("vpc"), OWN, tags("RequestTag", "prod-eu", "polls-prod-eu"))),
    ("take the owner off a VPC", one("ec2:DeleteTags", ec2("vpc"), OWN, {"aws:TagKeys": ["team", "berth:environment"]})),
    ("take all tags off a VPC", one("ec2:DeleteTags", ec2("vpc"), OWN)),
    ("take another's tags off", one("ec2:DeleteTags", ec2("instance"), ALIKE, {"aws:TagKeys": ["team"]})),
    ("remove an instance", one("ec2:TerminateInstances", ec2("instance"), OWN)),
    ("stop an instance", one("ec2:StopInstances", ec2("instance"), OWN)),
    ("change an instance", one("ec2:ModifyInstanceAttribute", ec2("instance"), OWN)),
    ("remove a volume", one("ec2:DeleteVolume", ec2("volume"), OWN)),
    ("run an instance", one("ec2:RunInstances", arn("ec2", "instance/*"), HERE, tags("RequestTag"))),
    *((f"{operation} of another environment", one(f"ec2:{operation}", ec2(kind), ALIKE)) for operation, kind in (
        ("DeleteVpc", "vpc"), ("DeleteSubnet", "subnet"), ("DeleteSecurityGroup", "security-group"), ("CreateRoute", "route-table"),
        ("ReplaceRoute", "route-table"), ("DeleteNatGateway", "natgateway"), ("ReleaseAddress", "elastic-ip"), ("ModifyVpcAttribute", "vpc"),
        ("AuthorizeSecurityGroupIngress", "security-group"), ("RevokeSecurityGroupIngress", "security-group"), ("DeleteLaunchTemplate", "launch-template"),
    )),
    *((f"{operation} of nobody", one(f"ec2:{operation}", ec2(kind), HERE)) for operation, kind in (
        ("DeleteVpc", "vpc"), ("AuthorizeSecurityGroupIngress", "security-group"), ("CreateRoute", "route-table"),
        ("CreateLaunchTemplateVersion", "launch-template"), ("ModifySubnetAttribute", "subnet"),
    )),
    *((f"remove {words} interface", one("ec2:DeleteNetworkInterface", ec2("network-interface"), HERE, there)) for words, there in (
        ("anybody's", {}), ("another cluster's", {"aws:ResourceTag/cluster.k8s.amazonaws.com/name": f"{NAME}-eu"}),
    )),
    ("open another cluster's group", one("ec2:DeleteSecurityGroup", ec2("security-group"), HERE, {"aws:ResourceTag/aws:eks:cluster-name": "polls-prod-eu"})),
    ("make a subnet in another's VPC", ("ec2:CreateSubnet", [(arn("ec2", "subnet/*"), NEW), (ec2("vpc"), ALIKE)])),
    ("make a group in another's VPC", ("ec2:CreateSecurityGroup", [(arn("ec2", "security-group/*"), NEW), (arn("ec2", "vpc/vpc-2"), HERE)])),
    ("lead another's routes to an endpoint", ("ec2:CreateVpcEndpoint", [(arn("ec2", "vpc-endpoint/*"), NEW), (ec2("vpc"), OWN), (ec2("route-table"), ALIKE)])),
    ("make a NAT gateway in another's subnet", ("ec2:CreateNatGateway", [(arn("ec2", "natgateway/*"), NEW), (ec2("subnet"), ALIKE), (ec2("elastic-ip"), OWN)])),
    ("make a VPC without an owner", one("ec2:CreateVpc", arn("ec2", "vpc/*"), HERE)),
    ("attach another's VPC", ("ec2:AttachInternetGateway", [(ec2("internet-gateway"), OWN), (ec2("vpc"), ALIKE)])),
    # Secrets
    ("read another database's master password", one("secretsmanager:GetSecretValue", SECRET, HERE, {MASTER: arn("rds", "db:payroll")})),
    ("read that of one that begins alike", one("secretsmanager:GetSecretValue", SECRET, HERE, {MASTER: arn("rds", f"db:{NAME}-eu")})),
    ("read that of one that is called almost as a restored one", one("secretsmanager:GetSecretValue", SECRET, HERE, {MASTER: arn("rds", f"db:{NAME}-r01x")})),
    ("read that of one without a tag", one("secretsmanager:GetSecretValue", SECRET, HERE)),
    ("read another secret", one("secretsmanager:GetSecretValue", arn("secretsmanager", "secret:payroll-1"), HERE)),
    ("tag a master password", one("secretsmanager:TagResource", SECRET, HERE, {"aws:RequestTag/team": "x"})),
    ("make a secret", one("secretsmanager:CreateSecret", SECRET, HERE)),
    # Names and certificates
    ("write another zone", one("route53:ChangeResourceRecordSets", arn("route53", "hostedzone/ZOTHER000000"))),
    ("write a zone that begins alike", one("route53:ChangeResourceRecordSets", arn("route53", f"hostedzone/{ZONE}D"))),
    ("delete the zone", one("route53:DeleteHostedZone", arn("route53", f"hostedzone/{ZONE}"))),
    ("take a certificate over", one("acm:AddTagsToCertificate", arn("acm", "certificate/1"), NEW)),
    ("remove a certificate", one("acm:DeleteCertificate", arn("acm", "certificate/1"), HERE)),
    ("remove another environment's certificate", one("acm:DeleteCertificate", arn("acm", "certificate/1"), ALIKE)),
    # An environment whose name begins alike
    *((f"{operation} of a role of an environment that begins alike", one(f"iam:{operation}", arn("iam", "role/polls-prod-eu-cluster"), ALIKE, more))
      for operation, more in (
        ("UpdateAssumeRolePolicy", {}), ("UpdateAssumeRolePolicy", {"iam:PermissionsBoundary": arn("iam", "policy/polls-prod-eu-boundary")}),
        ("DeleteRole", {}),
        ("TagRole", NEW), ("UntagRole", {"aws:TagKeys": ["team"]}), ("DetachRolePolicy", {"iam:PolicyARN": ADMIN}), ("UpdateRole", {}),
        ("PutRolePermissionsBoundary", {"iam:PermissionsBoundary": BOUND}), ("PassRole", {"iam:PassedToService": "eks.amazonaws.com"}),
        ("CreateRole", NEW | {"iam:PermissionsBoundary": BOUND}),
        ("AttachRolePolicy", {"iam:PolicyARN": LISTED, "iam:PermissionsBoundary": arn("iam", "policy/polls-prod-eu-boundary")}),
    )),
    ("tag an untagged role that begins alike", one("iam:TagRole", arn("iam", "role/polls-prod-eu-cluster"), NEW)),
    *((f"rds:{operation} of {part}", one(f"rds:{operation}", arn("rds", part), HERE)) for operation, part in (
        ("DeleteDBInstance", f"db:{NAME}-eu"), ("ModifyDBInstance", f"db:{NAME}-eu"), ("ModifyDBParameterGroup", f"pg:{NAME}-eu-postgres17"),
        ("ModifyDBParameterGroup", f"pg:{NAME}-postgres17-postgres17"), ("CreateDBSnapshot", f"snapshot:{NAME}-eu-final-20261128163316"),
        ("AddTagsToResource", f"snapshot:{NAME}-final-x-final-20261128163316"), ("DeleteDBSubnetGroup", f"subgrp:{NAME}-eu"),
    )),
    ("make a database of anybody's snapshot", one("rds:RestoreDBInstanceFromDBSnapshot", arn("rds", "snapshot:payroll-final-20261128163316"), HERE)),
    ("restore the snapshot of one that begins alike", one("rds:RestoreDBInstanceFromDBSnapshot", arn("rds", "snapshot:before-easter"), ALIKE)),
    *((f"restore {part} to a time", one("rds:RestoreDBInstanceToPointInTime", arn("rds", part), HERE)) for part in ("db:payroll", f"db:{NAME}-eu")),
    ("remove a database of another name", one("rds:DeleteDBInstance", arn("rds", f"db:{NAME}-r01-eu"), HERE)),
    ("make a database of another name", one("rds:RestoreDBInstanceFromDBSnapshot", arn("rds", f"db:{NAME}-eu"), HERE)),
    *((f"remove {what}", one("rds:DeleteDBSnapshot", arn("rds", f"snapshot:{snapshot}"), of)) for what, snapshot, of in (
        ("the last snapshot of the data", f"{NAME}-final-20261128163316", OWN | PURPOSE), ("a snapshot made in the console", BACKUP[9:], OWN),
        ("one of another name", f"{NAME}-before-easter", OWN | PURPOSE), ("another environment's backup", BACKUP[9:], ALIKE | PURPOSE),
        ("a backup of one that begins alike", f"{NAME}-eu-backup-20270327120000", ALIKE | PURPOSE),
    )),
    *((f"eks:{operation} of {part}", one(f"eks:{operation}", arn("eks", part), HERE)) for operation, part in (
        ("CreateAccessEntry", f"cluster/{NAME}-eu"), ("AssociateAccessPolicy", f"access-entry/{NAME}-eu/user/{ACCOUNT}/x/1"),
        ("DeleteNodegroup", f"nodegroup/{NAME}-eu/{NAME}-eu/1"), ("DeleteCluster", f"cluster/{NAME}-eu"),
    )),
    ("remove another environment's logs", one("logs:DeleteLogGroup", arn("logs", f"log-group:/aws/eks/{NAME}-eu/cluster"), HERE)),
    ("name a key of another environment", one("kms:CreateAlias", arn("kms", f"alias/{NAME}-eu"), HERE)),
    ("remove another repository", one("ecr:DeleteRepository", arn("ecr", "repository/polls-eu"), HERE)),
    ("open a repository to others", one("ecr:SetRepositoryPolicy", arn("ecr", "repository/polls"), HERE)),
    ("empty another cluster's instance profile", one("iam:RemoveRoleFromInstanceProfile", arn("iam", "instance-profile/eks-2"),
                                                     {"aws:ResourceTag/eks:eks-cluster-name": f"{NAME}-eu"})),
]  # fmt: skip


@pytest.mark.parametrize("attack", [pytest.param(request, id=words) for words, request in ATTACKS])
def test_the_policies_do_not_let_the_deployer(attack: Request) -> None:
    assert not allowed(POLICIES.values(), attack)


@pytest.mark.parametrize(("words", "attack"), [(words, attack) for words, attack in ATTACKS if attack[0] in (
    "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicy", "iam:DeleteRolePermissionsBoundary", "iam:PutRolePolicy", "sts:AssumeRole",
) and "polls-prod-eu" not in attack[1][0][0]])  # fmt: skip
def test_what_holds_the_bounds_stays_forbidden_whatever_else_is_allowed(words: str, attack: Request) -> None:
    everything = {"Statement": [{"Effect": "Allow", "Action": ["*"], "Resource": ["*"]}]}
    assert allowed([everything], attack) and not allowed([everything, *POLICIES.values()], attack), words


def test_a_role_that_is_none_of_berths_may_be_assumed_where_something_else_allows_it() -> None:
    """As scripts/eks-token does with the role that it is given."""
    everything = {"Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": ["*"]}]}
    assert allowed([everything, *POLICIES.values()], one("sts:AssumeRole", role("people")))


# --- Within the boundary ---------------------------------------------------------------------------------------------
CLUSTER, NODE, POD = ({"aws:PrincipalArn": role(name)} | HERE for name in ("cluster", "node", "polls-mail"))
IN_CLUSTER = {"aws:ResourceTag/eks:eks-cluster-name": NAME}
IN_GROUP = {"aws:ResourceTag/eks:cluster-name": NAME, f"aws:ResourceTag/kubernetes.io/cluster/{NAME}": "owned"}
BALANCER = arn("elasticloadbalancing", "loadbalancer/app/k8s-polls/1")
VOLUME, SNAPSHOT = arn("ec2", "volume/vol-1"), f"arn:aws:ec2:{REGION}::snapshot/snap-1"

# What AWS's managed policies for EKS are for: docs.aws.amazon.com/eks/latest/userguide/security-iam-awsmanpol.html
BOUNDED_USES: list[Request] = [
    *each("ec2", "DescribeInstances DescribeSubnets DescribeSecurityGroups DescribeNetworkInterfaces DescribeVolumes", "*", CLUSTER),
    *(one(f"ec2:{operation}", arn("ec2", f"{kind}/*"), CLUSTER, {"aws:RequestTag/eks:eks-cluster-name": NAME}) for operation, kind in (
        ("CreateFleet", "fleet"), ("RunInstances", "instance"), ("CreateLaunchTemplate", "launch-template"), ("CreateVolume", "volume"),
        ("CreateNetworkInterface", "network-interface"), ("CreateSecurityGroup", "security-group"), ("CreateSnapshot", "snapshot"),
    )),
    *(one("ec2:CreateTags", arn("ec2", f"{kind}/*"), CLUSTER, {"ec2:CreateAction": operation}) for operation, kind in (
        ("CreateFleet", "instance"), ("CreateVolume", "volume"), ("CreateSnapshot", "snapshot"), ("CreateSecurityGroup", "security-group"),
    )),
    ("ec2:RunInstances", [(ec2("subnet"), CLUSTER | OWN), (ec2("security-group"), CLUSTER | IN_GROUP), (ec2("launch-template"), CLUSTER | IN_CLUSTER)]),
    one("ec2:TerminateInstances", ec2("instance"), CLUSTER, IN_CLUSTER),
    *((f"ec2:{operation}", [(VOLUME, CLUSTER | IN_CLUSTER), (ec2("instance"), CLUSTER | IN_CLUSTER)]) for operation in ("AttachVolume", "DetachVolume")),
    *each("ec2", "ModifyVolume DeleteVolume CreateSnapshot", VOLUME, CLUSTER, IN_CLUSTER),
    one("ec2:CreateVolume", SNAPSHOT, CLUSTER, IN_CLUSTER),
    *each("ec2", "AuthorizeSecurityGroupIngress RevokeSecurityGroupIngress DeleteSecurityGroup", ec2("security-group"), CLUSTER, IN_CLUSTER),
    *each("ec2", "AuthorizeSecurityGroupIngress RevokeSecurityGroupIngress", ec2("security-group"), CLUSTER, {"aws:ResourceTag/aws:eks:cluster-name": NAME}),
    one("ec2:AuthorizeSecurityGroupIngress", arn("ec2", "security-group-rule/*"), CLUSTER),
    *each("elasticloadbalancing", "CreateLoadBalancer CreateTargetGroup CreateListener DescribeLoadBalancers RegisterTargets", "*", CLUSTER),
    *each("elasticloadbalancing", "DeleteLoadBalancer ModifyLoadBalancerAttributes SetSecurityGroups SetSubnets", BALANCER, CLUSTER, IN_CLUSTER),
    one("elasticloadbalancing:AddTags", BALANCER, CLUSTER, {"elasticloadbalancing:CreateAction": "CreateLoadBalancer"}),
    *each("acm", "ListCertificates DescribeCertificate", "*", CLUSTER),
    one("iam:PassRole", role("node"), CLUSTER, {"iam:PassedToService": "ec2.amazonaws.com"}),
    one("iam:AddRoleToInstanceProfile", arn("iam", "instance-profile/eks-1"), CLUSTER),
    one("iam:CreateServiceLinkedRole", arn("iam", "role/aws-service-role/elasticloadbalancing.amazonaws.com/AWSServiceRoleForElasticLoadBalancing"), CLUSTER,
        {"iam:AWSServiceName": "elasticloadbalancing.amazonaws.com"}),
    *each("kms", "DescribeKey Encrypt Decrypt", KEY, CLUSTER),
    # Nodes: their own addresses are on interfaces that have no tags, and images are AWS's, too.
    *each("ec2", "AssignPrivateIpAddresses AttachNetworkInterface DetachNetworkInterface DeleteNetworkInterface ModifyNetworkInterfaceAttribute",
          ec2("network-interface"), NODE),
    one("ec2:CreateTags", ec2("network-interface"), NODE),
    *each("eks-auth", "AssumeRoleForPodIdentity", arn("eks", f"cluster/{NAME}"), NODE),
    one("eks:DescribeCluster", arn("eks", f"cluster/{NAME}"), NODE),
    one("ecr:GetAuthorizationToken", "*", NODE),
    *each("ecr", "BatchGetImage GetDownloadUrlForLayer", f"arn:aws:ecr:{REGION}:602401143452:repository/eks/coredns", NODE),
    # Pods, and the volume driver's among them
    one("ses:SendEmail", arn("ses", "identity/example.com"), POD),
    *each("s3", "GetObject PutObject", "arn:aws:s3:::polls-media/x", POD),
    ("ec2:AttachVolume", [(VOLUME, POD | {"aws:ResourceTag/ebs.csi.aws.com/cluster": "true"}), (ec2("instance"), POD | IN_GROUP)]),
    one("ec2:DeleteSnapshot", SNAPSHOT, POD, {"aws:ResourceTag/ebs.csi.aws.com/cluster": "true"}),
]  # fmt: skip


@pytest.mark.parametrize("request_", BOUNDED_USES, ids=lambda request: f"{request[0]} {request[1][0][0].rpartition(':')[2]}")
def test_the_boundary_lets_a_cluster_its_nodes_and_its_pods_work(request_: Request) -> None:
    assert allowed([BOUNDARY], request_)


# IAM cannot say whom a role may trust, so that whoever may make one may also let somebody in: then only the boundary is left.
BOUNDED_ATTACKS: list[tuple[str, Request]] = [
    *((f"{action} as {words}", one(action, resource, who)) for words, who in (("cluster", CLUSTER), ("node", NODE), ("pod", POD)) for action, resource in (
        ("iam:CreateUser", arn("iam", "user/x")), ("iam:AttachRolePolicy", role()), ("iam:CreateRole", role("x")), ("iam:PutRolePolicy", role()),
        ("iam:CreatePolicyVersion", BOUND), ("iam:DeleteRolePermissionsBoundary", role()), ("iam:CreateAccessKey", arn("iam", "user/admin")),
        ("iam:UpdateAssumeRolePolicy", arn("iam", "role/admin")), ("sts:AssumeRole", arn("iam", "role/admin")), ("organizations:LeaveOrganization", "*"),
        ("kms:ScheduleKeyDeletion", KEY), ("kms:PutKeyPolicy", KEY), ("kms:TagResource", KEY), ("eks:CreateAccessEntry", arn("eks", "cluster/other")),
        ("eks:DeleteCluster", arn("eks", f"cluster/{NAME}")), ("rds:DeleteDBInstance", arn("rds", "db:payroll")),
        ("cloudformation:CreateStack", "*"), ("account:CloseAccount", "*"),
        ("ec2:ModifyInstanceAttribute", ec2("instance")), ("ec2:TerminateInstances", ec2("instance")), ("ec2:AttachVolume", VOLUME),
        ("ec2:DeleteVolume", VOLUME), ("ec2:CreateSnapshot", VOLUME), ("ec2:CreateVolume", SNAPSHOT), ("ec2:DeleteSnapshot", SNAPSHOT),
        ("ec2:CreateRoute", ec2("route-table")), ("ec2:AuthorizeSecurityGroupIngress", ec2("security-group")), ("ec2:CreateTags", ec2("instance")),
        ("ec2:CreateTags", VOLUME), ("elasticloadbalancing:DeleteLoadBalancer", BALANCER), ("elasticloadbalancing:AddTags", BALANCER),
        ("eks-auth:AssumeRoleForPodIdentity", arn("eks", f"cluster/{NAME}-eu")),
    ) if (words, action) != ("pod", "eks-auth:AssumeRoleForPodIdentity")),
    *((f"{action} as {words}", one(action, resource, who)) for words, who in (("cluster", CLUSTER), ("node", NODE)) for action, resource in (
        ("secretsmanager:GetSecretValue", SECRET), ("ssm:SendCommand", ec2("instance")), ("lambda:CreateFunction", arn("lambda", "function:x")),
        ("s3:GetObject", "arn:aws:s3:::payroll/x"), ("route53:ChangeResourceRecordSets", arn("route53", f"hostedzone/{ZONE}")),
    )),
    ("change another cluster's instance", one("ec2:ModifyInstanceAttribute", ec2("instance"), CLUSTER, {"aws:ResourceTag/eks:eks-cluster-name": f"{NAME}-eu"})),
    ("pass an administrator's role to an instance", one("iam:PassRole", arn("iam", "role/admin"), CLUSTER, {"iam:PassedToService": "ec2.amazonaws.com"})),
    ("pass the nodes' role to another service", one("iam:PassRole", role("node"), CLUSTER, {"iam:PassedToService": "lambda.amazonaws.com"})),
    ("work as a role that is none of the pods'", one("s3:GetObject", "arn:aws:s3:::payroll/x", {"aws:PrincipalArn": arn("iam", "role/polls-prod-eu-a-b")})),
    ("work in another region", one("ec2:RunInstances", "*", {"aws:PrincipalArn": role(), "aws:RequestedRegion": "us-east-1"})),
]  # fmt: skip


@pytest.mark.parametrize("attack", [pytest.param(request, id=words) for words, request in BOUNDED_ATTACKS])
def test_the_boundary_keeps_a_role_that_may_do_everything_from(attack: Request) -> None:
    assert not allowed([BOUNDARY], attack)


def test_without_pods_identities_the_boundary_has_nothing_for_pods() -> None:
    bare = filled("iam_boundary.json", identities=[], addons={})["boundary"]
    assert not allowed([bare], one("s3:GetObject", "arn:aws:s3:::polls-media/x", POD))
    assert "NotAction" not in json.dumps(bare)


# --- What is filled in -----------------------------------------------------------------------------------------------
def test_iam_takes_the_policies_of_a_long_name_with_several_roles() -> None:
    identities = [{"namespace": "polls", "service_account": f"account-{number}", "policies": ["AmazonS3ReadOnlyAccess"]} for number in range(5)]
    given = {"name": "a-name-of-20-letters", "identities": identities}
    for name, document in (filled("iam_policies.json", **given) | filled("iam_boundary.json", **given)).items():
        assert len(json.dumps(document, separators=(",", ":"))) < LONGEST, name
        assert "${" not in json.dumps(document)
        assert len({statement["Sid"] for statement in document["Statement"]}) == len(document["Statement"])


@pytest.mark.parametrize(("more", "names"), [
    ({"zone": ""}, {"Records"}), ({"zone": "example.com"}, {"Records"}), ({"vpc": {}}, {"GivenVpc"}),
])  # fmt: skip
def test_a_statement_about_nothing_is_left_out(more: dict[str, Any], names: set[str]) -> None:
    both = (POLICIES, filled("iam_policies.json", **more))
    before, after = ({statement["Sid"] for policy in policies.values() for statement in policy["Statement"]} for policies in both)
    assert before - after == names


def test_no_resource_is_one_of_another_environment_but_for_its_tags() -> None:
    """A pattern that another environment's names fit has a condition that asks whose it is."""
    for policy in POLICIES.values():
        for statement in policy["Statement"]:
            fitting = [resource for resource in statement["Resource"] if f"{NAME}-*" in resource]
            asks = json.dumps(statement.get("Condition", {}))
            assert not fitting or statement["Effect"] == "Deny" or "berth:name" in asks or BOUND in asks or statement["Sid"] == "Roles", statement["Sid"]


def test_a_simulation_brings_along_what_each_statement_asks_for() -> None:
    """Preflight asks IAM with it; a real call has no less."""
    for policy in POLICIES.values():
        for statement in policy["Statement"]:
            if statement["Effect"] == "Allow":
                context = {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in looking.simulated(statement, REGION)}
                resource = statement["Resource"][0].replace("*", "x").replace("?", "x")
                single = {key: values if key in ("kms:ResourceAliases", "aws:TagKeys") else values[0] for key, values in context.items()}
                assert allowed([{"Statement": [statement]}], (statement["Action"][0], [(resource, single)])), statement["Sid"]


def test_a_grant_is_asked_for_as_eks_and_as_rds_make_theirs() -> None:
    """EKS's is none for a resource of AWS's: docs.aws.amazon.com/eks/latest/userguide/enable-kms.html."""
    sent = {}
    for statement in POLICIES["cluster"]["Statement"]:
        if "kms:CreateGrant" in statement["Action"]:
            context = {entry["ContextKeyName"]: entry["ContextKeyValues"] for entry in looking.simulated(statement, REGION)}
            sent[statement["Sid"]] = context["kms:GrantIsForAWSResource"]
    assert sent == {"Key": ["false"], "GrantsByRds": ["true"]}


def simulate(theirs: dict[str, dict[str, Any]]) -> set[str]:
    """Return what preflight finds missing where the caller has these policies, asked as IAM answers it."""
    statements = [one for policy in POLICIES.values() for one in policy["Statement"] if one["Effect"] == "Allow"]
    answers = {}
    for name, question in looking.simulation_questions(arn("iam", "user/deployer"), "", statements, REGION).items():
        entries = question.parameters["ContextEntries"]
        context = {one["ContextKeyName"]: one["ContextKeyValues"] if one["ContextKeyType"] == "stringList" else one["ContextKeyValues"][0] for one in entries}
        results = []
        for action in question.parameters["ActionNames"]:
            resources = [text.replace("?", "x") for text in question.parameters.get("ResourceArns", ["*"])]
            decisions = ["allowed" if allowed(theirs.values(), (action, [(resource, context)])) else "implicitDeny" for resource in resources]
            parts = [{"EvalResourceName": resource, "EvalResourceDecision": decision} for resource, decision in zip(resources, decisions, strict=True)]
            whole = next((one for one in decisions if one != "allowed"), "allowed")
            results.append({"EvalActionName": action, "EvalDecision": whole, "ResourceSpecificResults": parts})
        answers[name] = looking.Answer(results)
    return looking.refused_actions(answers)


def but_for(sid: str, condition: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the policies with a further condition of one statement."""
    found = json.loads(json.dumps(POLICIES))
    for policy in found.values():
        for statement in policy["Statement"]:
            if statement["Sid"] == sid:
                statement["Condition"] = statement.get("Condition", {}) | condition
    return found


def test_preflight_finds_nothing_missing_in_the_policies_that_berth_writes() -> None:
    assert simulate(POLICIES) == set()


@pytest.mark.parametrize(
    ("sid", "condition", "missing"),
    [
        # What EKS does not bring along, though RDS does: docs.aws.amazon.com/eks/latest/userguide/enable-kms.html
        ("Key", {"Bool": {"kms:GrantIsForAWSResource": "true"}}, "kms:CreateGrant"),
        ("NewInVpc", {"StringEquals": {"aws:RequestTag/team": "web"}}, "ec2:CreateSubnet"),
        ("LeftOfAuto", {"Bool": {"aws:MultiFactorAuthPresent": "true"}}, "ec2:DeleteSecurityGroup"),
    ],
)
def test_preflight_finds_a_condition_that_a_call_does_not_fulfil(sid: str, condition: dict[str, Any], missing: str) -> None:
    assert missing in simulate(but_for(sid, condition))
