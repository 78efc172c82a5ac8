// A driver in Java for `faultinject conformance --client 'java Client.java'`; call is the part to replace.
// This one is java.net.http with three attempts and the bucket in the host: a proxy sends it to the server.
import java.net.*;
import java.net.http.*;
import java.util.*;

public class Client {
    final HttpClient http;
    final String start;

    Client(String first) {
        URI server = URI.create(field(first, "endpoint"));
        var proxy = ProxySelector.of(new InetSocketAddress(server.getHost(), server.getPort()));
        http = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).proxy(proxy).build();
        start = "http://" + field(first, "bucket") + ".cos.ap-guangzhou.myqcloud.com/";
    }

    void call(String kind, String key) throws Exception {
        var body = HttpRequest.BodyPublishers.ofString("meow".repeat(100));
        var request = HttpRequest.newBuilder(URI.create(start + key)).method(kind.toUpperCase(), body).build();
        for (int attempt = 1; ; attempt++) {
            String error = "";
            try {
                error = "status " + http.send(request, HttpResponse.BodyHandlers.ofString()).statusCode();
                if (error.matches("status 2..")) return;
            } catch (java.io.IOException failure) {
                for (Throwable cause = failure; cause != null; cause = cause.getCause()) error += cause + " ";
            }
            if (attempt == 3 || error.matches("status 40[34]")) throw new Exception(error);
            Thread.sleep(new Random().nextInt(200 * attempt));
        }
    }

    static String field(String line, String name) {
        return line.replaceFirst(".*\"" + name + "\": *\"([^\"]*)\".*", "$1");
    }

    static void answer(Client client, String kind, String key) {
        String end = "true}";
        try {
            client.call(kind, key);
        } catch (Exception error) {
            end = "false, \"error\": \"" + error.getMessage().replaceAll("[^ -!#-\\[\\]-~]", " ") + "\"}";
        }
        System.out.println("{\"key\": \"" + key + "\", \"ok\": " + end);
    }

    public static void main(String[] words) {
        var lines = new Scanner(System.in);
        String first = lines.nextLine();
        var clients = new HashMap<String, Client>();
        System.out.println("{\"ready\": true, \"kinds\": [\"get\", \"put\"]}");
        while (lines.hasNextLine()) {
            String line = lines.nextLine();
            Client client = clients.computeIfAbsent(field(line, "client"), name -> new Client(first));
            new Thread(() -> answer(client, field(line, "do"), field(line, "key"))).start();
        }
        System.exit(0);
    }
}
