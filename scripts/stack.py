#!/usr/bin/env python3
"""Deploys the templates in infra/cloudformation to an emulator of AWS, as `aws cloudformation deploy` does to AWS itself.

  stack.py --endpoint URL deploy NAME TEMPLATE [KEY=VALUE ...]   makes or updates a stack; prints its outputs as JSON
  stack.py --endpoint URL delete NAME                            deletes it
  stack.py --endpoint URL upload BUCKET KEY BOOTSTRAP            zips a Lambda worker and stores it
"""

import argparse
import io
import json
import pathlib
import re
import sys
import time
import zipfile

import boto3
from botocore.exceptions import ClientError

# Emulators answer at once or within seconds; a limit turns a hang into an error.
POLLS, POLL_SECONDS = 1200, 0.1


def client(service, endpoint):
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def describe(cloudformation, name):
    """The stack, or None when there is none (any more)."""
    try:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    live = [stack for stack in found if stack["StackStatus"] != "DELETE_COMPLETE"]
    return live[0] if live else None


def settled(cloudformation, name):
    for _ in range(POLLS):
        stack = describe(cloudformation, name)
        if stack is None or not stack["StackStatus"].endswith("_IN_PROGRESS"):
            return stack
        time.sleep(POLL_SECONDS)
    sys.exit(f"the stack {name} does not settle")


def why(cloudformation, name):
    events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("FAILED")]
    return "\n".join(f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}" for event in failed)


def without_what_only_aws_has(body):
    """Leaves out what the template's condition `IsAws` leaves out: an emulator refuses a template for a type it does not know,
    also where the condition of the resource is false."""
    begin = re.search(r"^Resources:\n", body, re.M).end()
    end = re.search(r"^Outputs:\n", body, re.M).start()
    blocks = re.split(r"(?m)^(?=  \w+:$)", body[begin:end])
    kept = [block for block in blocks if "\n    Condition: IsAws\n" not in block]
    return body[:begin] + "".join(kept) + body[end:]


def deploy(endpoint, name, template, settings):
    cloudformation = client("cloudformation", endpoint)
    body = without_what_only_aws_has(pathlib.Path(template).read_text())
    cloudformation.validate_template(TemplateBody=body)
    known = describe(cloudformation, name)
    # what is not said stays as it is
    parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in settings.items()]
    if known:
        kept = {item["ParameterKey"] for item in known.get("Parameters", [])} - set(settings)
        parameters += [{"ParameterKey": key, "UsePreviousValue": True} for key in sorted(kept)]
    call = cloudformation.update_stack if known else cloudformation.create_stack
    call(StackName=name, TemplateBody=body, Capabilities=["CAPABILITY_IAM"], Parameters=parameters)
    stack = settled(cloudformation, name)
    wanted = "UPDATE_COMPLETE" if known else "CREATE_COMPLETE"
    if stack is None or stack["StackStatus"] != wanted:
        sys.exit(f"{name}: {stack and stack['StackStatus']}\n{why(cloudformation, name)}")
    outputs = {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}
    print(json.dumps({"status": stack["StackStatus"], "outputs": outputs}))


def delete(endpoint, name):
    cloudformation = client("cloudformation", endpoint)
    cloudformation.delete_stack(StackName=name)
    stack = settled(cloudformation, name)
    if stack is not None:
        sys.exit(f"{name}: {stack['StackStatus']}\n{why(cloudformation, name)}")
    print(json.dumps({"status": "DELETE_COMPLETE", "outputs": {}}))


def upload(endpoint, bucket, key, program):
    s3 = client("s3", endpoint)
    s3.create_bucket(Bucket=bucket)
    # Lambda starts what is executable, and the time of day must not make another archive of the same program
    entry = zipfile.ZipInfo("bootstrap")
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", compresslevel=1) as writer:
        writer.writestr(entry, pathlib.Path(program).read_bytes())
    s3.put_object(Bucket=bucket, Key=key, Body=archive.getvalue())
    print(json.dumps({"bytes": archive.tell()}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--endpoint", required=True)
    actions = parser.add_subparsers(dest="action", required=True)
    command = actions.add_parser("deploy")
    command.add_argument("name")
    command.add_argument("template")
    command.add_argument("settings", nargs="*", type=lambda text: text.split("=", 1))
    actions.add_parser("delete").add_argument("name")
    command = actions.add_parser("upload")
    for name in ("bucket", "key", "program"):
        command.add_argument(name)
    given = parser.parse_args()
    if given.action == "deploy":
        deploy(given.endpoint, given.name, given.template, dict(given.settings))
    elif given.action == "delete":
        delete(given.endpoint, given.name)
    else:
        upload(given.endpoint, given.bucket, given.key, given.program)


if __name__ == "__main__":
    main()
