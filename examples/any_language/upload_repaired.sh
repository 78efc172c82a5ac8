#!/bin/sh
# Stores a photo and looks whether it is there. curl retries broken connections too.
set -eu

ask() {
    curl --silent --show-error --fail --retry 3 --retry-all-errors "$@"
}

ask --request PUT --data-binary meow "$ENDPOINT/photos/cat.jpg"
ask "$ENDPOINT/photos/cat.jpg" | grep -q meow
