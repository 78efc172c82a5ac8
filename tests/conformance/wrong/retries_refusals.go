// Wrong on purpose: asks again after a 403, a 404 and a 400.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"
)

type line struct{ Endpoint, Bucket, Key string }

func call(url, key string, answers chan<- string) {
	for number := 0; number < 3; number++ {
		answer, err := http.Get(url + key)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode < 400 {
				answers <- fmt.Sprintf(`{"key": %q, "ok": true}`, key)
				return
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	answers <- fmt.Sprintf(`{"key": %q, "ok": false}`, key)
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Scan()
	var first line
	json.Unmarshal(lines.Bytes(), &first)
	answers := make(chan string)
	go func() {
		for said := range answers {
			fmt.Println(said)
		}
	}()
	answers <- `{"ready": true, "kinds": ["get"]}`
	for lines.Scan() {
		var asked line
		json.Unmarshal(lines.Bytes(), &asked)
		go call(first.Endpoint+"/"+first.Bucket+"/", asked.Key, answers)
	}
}
