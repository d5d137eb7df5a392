#!/usr/bin/env bash
# Runs in the LocalStack container once it is ready: the bucket of large values. Queues are created by Runnel itself.
set -euo pipefail
awslocal s3api head-bucket --bucket runnel 2>/dev/null || awslocal s3api create-bucket --bucket runnel
