#!/bin/sh
# What is killed and run again: `sh job.sh JOB` with the store's address in ENDPOINT; `sh job.sh prepare JOB` before each run.
set -e
unset AWS_CA_BUNDLE
export AWS_ACCESS_KEY_ID=id AWS_SECRET_ACCESS_KEY=key AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
export RESTIC_PASSWORD=secret RESTIC_REPOSITORY="s3:$ENDPOINT/films/repo" RESTIC_CACHE_DIR="$PWD/cache"
host=${ENDPOINT#http://}

rclone_() {
    RCLONE_CONFIG=/dev/null RCLONE_CONFIG_STORE_TYPE=s3 RCLONE_CONFIG_STORE_PROVIDER=Other RCLONE_CONFIG_STORE_REGION=us-east-1 \
        RCLONE_CONFIG_STORE_ENDPOINT=$ENDPOINT RCLONE_CONFIG_STORE_ENV_AUTH=true \
        rclone "$@" --transfers 1 --checkers 1 --s3-upload-cutoff 5M --s3-chunk-size 5M --s3-upload-concurrency 1
}
s3cmd_() {
    s3cmd -c /dev/null --quiet --no-progress --no-ssl --host="$host" --host-bucket="$host" \
        --access_key=id --secret_key=key --multipart-chunk-size-mb=5 "$@"
}
aws_() {
    printf '[default]\ns3 =\n  multipart_threshold = 5MB\n  multipart_chunksize = 5MB\n  max_concurrent_requests = 1\n' >aws.conf
    AWS_CONFIG_FILE=aws.conf aws --endpoint-url "$ENDPOINT" "$@" --only-show-errors
}

case $1 in
prepare)
    rm -rf films cache aws.conf
    mkdir -p films/sub
    printf one >films/one
    printf two >films/sub/two
    head -c 6291456 /dev/zero | tr '\0' x >films/three
    curl -s -o prepared -X PUT "$ENDPOINT/films"
    [ "$2" != restic-backup ] || restic init -q
    ;;
rclone-copy) rclone_ copy films store:films ;;
rclone-sync) rclone_ sync films store:films ;;
rclone-move) mkdir -p films && rclone_ move films store:films ;;
restic-backup) restic backup -q --host host films ;;
s3cmd-sync) s3cmd_ sync films/ s3://films/ ;;
aws-s3-sync) aws_ s3 sync films s3://films ;;
aws-s3-mv) mkdir -p films && aws_ s3 mv films s3://films --recursive ;;
*) echo "no job $1" >&2 && exit 2 ;;
esac
