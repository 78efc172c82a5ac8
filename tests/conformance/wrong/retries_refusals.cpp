// Wrong on purpose: asks again after a 403, a 404 and a 400, each call in a thread.
#include <arpa/inet.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>

static std::mutex writing;

static void write_line(const std::string &line) {
    const std::lock_guard<std::mutex> held(writing);
    std::cout << line << std::endl;
}

// The text of a field of the line.
static std::string field(const std::string &line, const std::string &name) {
    const auto after = line.find(':', line.find('"' + name + '"')) + 1;
    const auto begin = line.find('"', after) + 1;
    return line.substr(begin, line.find('"', begin) - begin);
}

// The status of one answer; 0 where there is none.
static int ask(int port, const std::string &path) {
    const int connection = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_port = htons(static_cast<uint16_t>(port));
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string answer;
    if (connect(connection, reinterpret_cast<sockaddr *>(&there), sizeof there) == 0) {
        const std::string asked = "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        char some[4096];
        ssize_t length = write(connection, asked.data(), asked.size());
        while (length > 0 && (length = read(connection, some, sizeof some)) > 0) answer.append(some, length);
    }
    close(connection);
    return answer.size() < 12 ? 0 : std::stoi(answer.substr(9, 3));
}

static void call(int port, const std::string &bucket, const std::string &key) {
    int status = 0;
    for (int number = 0; number < 3 && (status == 0 || status >= 400); number++) {
        if (number) std::this_thread::sleep_for(std::chrono::milliseconds(200));
        status = ask(port, "/" + bucket + "/" + key);
    }
    const std::string ok = status && status < 400 ? "true" : "false";
    write_line("{\"key\": \"" + key + "\", \"ok\": " + ok + ", \"error\": \"" + std::to_string(status) + "\"}");
}

int main() {
    std::string line;
    if (!std::getline(std::cin, line)) return 1;
    const std::string endpoint = field(line, "endpoint"), bucket = field(line, "bucket");
    const int port = std::stoi(endpoint.substr(endpoint.rfind(':') + 1));
    write_line("{\"ready\": true, \"kinds\": [\"get\"]}");
    while (std::getline(std::cin, line)) std::thread(call, port, bucket, field(line, "key")).detach();
    return 0;
}
