"""Logs a model, then deletes an older one."""
# /// script
# dependencies = ["mlflow-skinny==3.17.2", "boto3==1.44.8"]
# [tool.survey]
# vendor = "s3"
# faults = ["s3:InternalError,operation=DeleteObjects,status=200"]
# prepare = "curl -s -X PUT $ENDPOINT/lake; curl -s -X PUT -d old $ENDPOINT/lake/run/old.bin"
# lost = "the room of what was removed: delete_artifacts() returns although the store kept the objects"
# confirmed = "its code: nobody looks at the Errors of `delete_objects` (store/artifact/s3_artifact_repo.py:562)"
# ///

import os
import tempfile
from pathlib import Path

os.environ |= {
    "MLFLOW_S3_ENDPOINT_URL": os.environ["ENDPOINT"],
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "key",
    "AWS_DEFAULT_REGION": "us-east-1",
}
from mlflow.store.artifact.s3_artifact_repo import S3ArtifactRepository

os.chdir(tempfile.mkdtemp(dir="."))
Path("new.bin").write_bytes(b"weights")
artifacts = S3ArtifactRepository("s3://lake/run")
artifacts.log_artifact("new.bin")
artifacts.delete_artifacts("old.bin")
