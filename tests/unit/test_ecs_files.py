"""The files for Amazon's container service, as its own model reads them."""

import json
import re
import string

import botocore.session
import pytest
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator

from referralhub.config import PROJECT

# What docs/deploy/ecs.md sets before a file is used.
PLACES = ("AWS_ACCOUNT", "AWS_REGION", "DOMAIN", "IMAGE", "SUBNET_A", "SUBNET_B", "TASKS_GROUP", "TARGET_GROUP")
SIZES = {"256": ("512", "1024", "2048"), "512": ("1024", "2048", "3072", "4096")}  # of Fargate: CPU, memory


@pytest.fixture(scope="module")
def ecs() -> ServiceModel:
    return botocore.session.get_session().get_service_model("ecs")


def filled(name: str, **more: str) -> dict:
    text = string.Template((PROJECT / "deploy/ecs" / name).read_text())
    return json.loads(text.substitute(dict.fromkeys(PLACES, "x"), **more))


def unknown(value: object, shape: Shape) -> list[str]:
    """Return the names that a shape of Amazon's model does not have."""
    if shape.type_name == "structure":
        assert isinstance(value, dict)
        strange = [name for name in value if name not in shape.members]
        return strange + [
            each for name in value if name in shape.members for each in unknown(value[name], shape.members[name])
        ]
    if shape.type_name == "list":
        assert isinstance(value, list)
        return [each for item in value for each in unknown(item, shape.member)]
    return []


@pytest.mark.parametrize(
    ("file", "operation"),
    [
        ("web.json", "RegisterTaskDefinition"),
        ("worker.json", "RegisterTaskDefinition"),
        ("web-service.json", "CreateService"),
        ("worker-service.json", "CreateService"),
        ("once.json", "RunTask"),
    ],
)
def test_each_file_is_what_the_service_takes(ecs: ServiceModel, file: str, operation: str):
    document = filled(file, COMMAND='["true"]')
    shape = ecs.operation_model(operation).input_shape
    report = ParamValidator().validate(document, shape)
    assert not report.has_errors(), report.generate_report()
    assert unknown(document, shape) == []  # which the validator passes over


def test_a_name_that_the_service_does_not_know_is_noticed(ecs: ServiceModel):
    document = filled("web.json")
    document["containerDefinitions"][0]["readOnlyRootFilesystem"] = True
    assert unknown(document, ecs.operation_model("RegisterTaskDefinition").input_shape) == ["readOnlyRootFilesystem"]


@pytest.mark.parametrize("process", ["web", "worker"])
def test_a_task_is_a_process_of_a_size_that_there_is_and_knows_no_secret_by_itself(process: str):
    task = filled(f"{process}.json")
    (container,) = task["containerDefinitions"]
    assert container["command"] == ["deploy/process", process]
    assert task["memory"] in SIZES[task["cpu"]]
    assert container["readonlyRootFilesystem"] is True
    written = {point["containerPath"] for point in container["mountPoints"]}
    declared = re.search(r"^VOLUME (.*)$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    assert written == set(json.loads(declared[1]))  # only so does Fargate let who is not root write there
    secret = {each["name"] for each in container["secrets"]}
    assert secret == {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "MAIL_URL"}
    assert not secret & {each["name"] for each in container["environment"]}
