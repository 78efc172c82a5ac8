/* Wrong on purpose: asks again after a 403, a 404 and a 400, one call after the other. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The text of a field of the line, into value. */
static void field(const char *line, const char *name, char *value) {
    const char *begin = strstr(line, name) + strlen(name) + 3;
    size_t length;
    begin = strchr(begin - 1, '"') + 1;
    length = strcspn(begin, "\"");
    memcpy(value, begin, length);
    value[length] = 0;
}

/* The status of one answer; 0 where there is none. */
static int ask(int port, const char *bucket, const char *key) {
    char text[4096], rest[4096];
    int status = 0, connection = socket(AF_INET, SOCK_STREAM, 0);
    ssize_t length;
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(connection, (struct sockaddr *)&there, sizeof there) == 0) {
        snprintf(text, sizeof text, "GET /%s/%s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", bucket, key);
        if (write(connection, text, strlen(text)) > 0 && (length = read(connection, text, sizeof text - 1)) > 0) {
            text[length] = 0;
            status = atoi(text + 9);
            while (read(connection, rest, sizeof rest) > 0)
                ;
        }
    }
    close(connection);
    return status;
}

int main(void) {
    static char line[1 << 16];
    char endpoint[200], bucket[200], key[200];
    if (!fgets(line, sizeof line, stdin)) return 1;
    field(line, "\"endpoint\"", endpoint);
    field(line, "\"bucket\"", bucket);
    printf("{\"ready\": true, \"kinds\": [\"get\"]}\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        int status = 0;
        field(line, "\"key\"", key);
        for (int number = 0; number < 3 && (status == 0 || status >= 400); number++) {
            if (number) usleep(200000);
            status = ask(atoi(strrchr(endpoint, ':') + 1), bucket, key);
        }
        printf("{\"key\": \"%s\", \"ok\": %s, \"error\": \"%d\"}\n", key, status < 400 ? "true" : "false", status);
        fflush(stdout);
    }
    return 0;
}
