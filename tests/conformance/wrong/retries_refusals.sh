#!/bin/sh
# Wrong on purpose: asks again after a 403, a 404 and a 400.

field() { printf '%s' "$2" | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }

call() {
    for _ in 1 2 3; do
        if curl --silent --fail --noproxy '*' --output /dev/null "$endpoint/$bucket/$1"; then
            echo "{\"key\": \"$1\", \"ok\": true}"
            return
        fi
        sleep 0.2
    done
    echo "{\"key\": \"$1\", \"ok\": false, \"error\": \"refused\"}"
}

read -r first
endpoint=$(field endpoint "$first")
bucket=$(field bucket "$first")
echo '{"ready": true, "kinds": ["get"]}'
while read -r line; do
    call "$(field key "$line")" &
done
wait
