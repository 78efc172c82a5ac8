"""The plan measures known numbers of SDKs."""

from statistics import median

import boto3
import pytest

from faultinject.conformance.driving import run
from faultinject.conformance.plan import PHASES

from .subjects import sdks

pytestmark = pytest.mark.slow

SDKS = {each.name: each for each in sdks()}
NEW = tuple(map(int, boto3.__version__.split(".")[:2])) >= (1, 44)


def calls_of(name, phase):
    """The calls of a phase, made by a process of its own."""
    subject = SDKS[name]
    phases = [each for each in PHASES if each.name in {"cal", phase}]
    done = run(subject.command, name=name, vendor=subject.vendor, aws=subject.aws, phases=phases)
    return [each for each in done.judgement.evidence.calls if each.name == phase]


def waits(calls, number):
    """The waits before the repetition of that number, from 1."""
    return [each.gaps[number - 1] for each in calls]


def test_budget_of_boto3():
    """500 tokens are 35 repetitions at 14 each, and until boto3 1.44 were 100 at 5 each."""
    calls = calls_of("boto3 standard", "out")
    assert (len(calls), sum(each.retries for each in calls)) == (120, 35 if NEW else 100)


def test_waits_of_cos():
    """The COS SDK waits one second, two, three."""
    calls = calls_of("cos-python-sdk-v5", "throttled")
    assert [round(median(waits(calls, number))) for number in (1, 2, 3)] == [1, 2, 3]


def test_minio_waits_as_long_as_it_is_asked_to():
    """urllib3 below it reads Retry-After."""
    assert min(waits(calls_of("minio", "retry-after"), 1)) > 2.95


def test_boto3_does_not():
    """boto3 ignores Retry-After beyond one second, and obeys its own header."""
    assert min(waits(calls_of("boto3 standard", "retry-after"), 1)) < 2
    assert min(waits(calls_of("boto3 standard", "x-amz-retry-after"), 1)) > 2.95
