// A driver in Go for `faultinject conformance --client 'go run client.go'`; client is the part to replace.
// This one is net/http with three attempts and the bucket in the host: Proxy sends it to the server.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// A line that faultinject writes: the first one, or a call.
type line struct{ Endpoint, Bucket, Etag, Key, Do, Client string }

type client struct{ http.Client }

func (c *client) call(first, call line) (err error) {
	address := "http://" + first.Bucket + ".cos.ap-guangzhou.myqcloud.com/" + call.Key
	for attempt := 1; attempt <= 3; attempt++ {
		request, _ := http.NewRequest(strings.ToUpper(call.Do), address, strings.NewReader(strings.Repeat("meow", 100)))
		var answer *http.Response
		if answer, err = c.Do(request); err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			if status := answer.StatusCode; status >= 400 {
				err = fmt.Errorf("status %d", status)
			}
			if err == nil || answer.StatusCode == 403 || answer.StatusCode == 404 {
				return err
			}
		}
		time.Sleep(time.Duration(rand.Intn(200*attempt)) * time.Millisecond)
	}
	return err
}

func write(answer map[string]any) {
	text, _ := json.Marshal(answer)
	os.Stdout.Write(append(text, '\n'))
}

func main() {
	lines, clients, first := json.NewDecoder(os.Stdin), map[string]*client{}, line{}
	lines.Decode(&first)
	server, _ := url.Parse(first.Endpoint)
	write(map[string]any{"ready": true, "kinds": []string{"get", "put"}})
	for call := (line{}); lines.Decode(&call) == nil; call = (line{}) {
		if clients[call.Client] == nil {
			clients[call.Client] = &client{http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(server)}}}
		}
		go func(one *client, call line) {
			err := one.call(first, call)
			write(map[string]any{"key": call.Key, "ok": err == nil, "error": fmt.Sprint(err)})
		}(clients[call.Client], call)
	}
}
