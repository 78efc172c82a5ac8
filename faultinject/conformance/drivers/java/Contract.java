import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.ToolProvider;

/**
 * The contract of {@code faultinject conformance --contract}, for drivers in Java: {@code java -cp JARS Contract.java
 * Driver.java}. A driver is a class with a constructor (endpoint, bucket, ETag) and some of the methods get, put, post
 * and complete, which take a key.
 */
public class Contract {
    private static final int LONGEST_ERROR = 2000;
    private static final PrintStream ANSWERS = System.out;

    public static void main(String[] words) throws Exception {
        System.setOut(System.err); // what an SDK prints is no answer
        Class<?> driver = compiled(Path.of(words[0]));
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        String first = lines.readLine();
        Map<String, Object> clients = new HashMap<>();
        Matcher names = Pattern.compile("\"([^\"]*)\"").matcher(first.split("\"clients\": *")[1]);
        while (names.find()) {
            clients.put(names.group(1), driver.getConstructor(String.class, String.class, String.class)
                .newInstance(field(first, "endpoint"), field(first, "bucket"), field(first, "etag")));
        }
        write("{\"ready\": true, \"kinds\": [" + kinds(driver) + "]}");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String key = field(line, "key");
            String kind = field(line, "do");
            Object client = clients.get(field(line, "client"));
            new Thread(() -> answer(client, kind, key)).start();
        }
        System.exit(0); // whatever still waits for its retry
    }

    private static Class<?> compiled(Path source) throws Exception {
        Path folder = Files.createTempDirectory("faultinject");
        String jars = System.getProperty("java.class.path");
        int code = ToolProvider.getSystemJavaCompiler()
            .run(null, System.err, System.err, "-d", folder.toString(), "-cp", jars, source.toString());
        if (code != 0) System.exit(code);
        URI found = folder.toUri();
        var loader = new URLClassLoader(new URL[] {found.toURL()});
        Class<?> driver = loader.loadClass(source.getFileName().toString().replace(".java", ""));
        try (Stream<Path> files = Files.list(folder)) {
            Stream.concat(Stream.of(folder), files).map(Path::toFile).forEach(File::deleteOnExit);
        }
        return driver;
    }

    private static String kinds(Class<?> driver) {
        return Stream.of(driver.getMethods())
            .map(each -> each.getName())
            .filter(each -> Stream.of("get", "put", "post", "complete").anyMatch(each::equals))
            .map(each -> "\"" + each + "\"")
            .collect(Collectors.joining(", "));
    }

    private static void answer(Object client, String kind, String key) {
        String said = "{\"key\": \"" + key + "\", \"ok\": ";
        try {
            client.getClass().getMethod(kind, String.class).invoke(client, key);
            write(said + "true}");
        } catch (ReflectiveOperationException failed) {
            Throwable cause = failed.getCause() == null ? failed : failed.getCause();
            String text = cause.toString();
            while ((cause = cause.getCause()) != null) // a ConnectException may have no words of its own
                text += text.contains(cause.toString()) ? "" : " (" + cause + ")";
            text = text.replaceAll("[^ -!#-\\[\\]-~]+", " "); // nothing that JSON would escape
            write(said + "false, \"error\": \"" + text.substring(0, Math.min(text.length(), LONGEST_ERROR)) + "\"}");
        }
    }

    /** The value of a field of a line, of which only that of the ETag has quotes in it. */
    private static String field(String line, String name) {
        Matcher found = Pattern.compile("\"" + name + "\": *\"((?:[^\"\\\\]|\\\\.)*)\"").matcher(line);
        if (!found.find()) throw new IllegalArgumentException("no " + name + " in " + line);
        return found.group(1).replace("\\\"", "\"");
    }

    private static synchronized void write(String line) {
        ANSWERS.println(line);
        ANSWERS.flush();
    }
}
