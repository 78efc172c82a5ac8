#!/bin/sh
# Stores a photo and looks whether it is there. curl retries a 503, and no broken connection.
set -eu

ask() {
    curl --silent --show-error --fail --retry 3 "$@"
}

ask --request PUT --data-binary meow "$ENDPOINT/photos/cat.jpg"
ask "$ENDPOINT/photos/cat.jpg" | grep -q meow
