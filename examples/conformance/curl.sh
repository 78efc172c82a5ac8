#!/bin/sh
# A client of the shell for `faultinject conformance`: curl, and what its --retry does.

field() { printf '%s' "$2" | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }

call() {
    case $2 in
        put) body="--request PUT --data meow" ;;
        *) body="" ;;
    esac
    # shellcheck disable=SC2086 # $body is words
    if said=$(curl -sS --fail --retry 3 --noproxy '*' --output /dev/null $body "$endpoint/$bucket/$1" 2>&1); then
        echo "{\"key\": \"$1\", \"ok\": true}"
    else
        echo "{\"key\": \"$1\", \"ok\": false, \"error\": \"$(echo "$said" | tail -n 1 | tr -d '\"\\')\"}"
    fi
}

read -r first
endpoint=$(field endpoint "$first")
bucket=$(field bucket "$first")
version=$(curl --version | head -n 1 | cut -d ' ' -f 1-2)
echo "{\"ready\": true, \"kinds\": [\"get\", \"put\"], \"client\": \"$version\"}"
while read -r line; do
    call "$(field key "$line")" "$(field do "$line")" &
done
wait
